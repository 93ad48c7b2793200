/** FleetService.LockWorker: it finishes what it runs, keeps what it holds, and gets nothing new. */
import { LockWorkerRequest, type LockWorkerResponse, limits } from "@zfarm/contract";
import { invalidField } from "../domain/violations.ts";
import { checkReason } from "../domain/worker-conduct.ts";
import { changeWorker } from "./change-worker.ts";
import { decodeRequest } from "./decode.ts";
import type { UnaryMethod } from "./serve-call.ts";

export const lockWorker: UnaryMethod<LockWorkerRequest, LockWorkerResponse> = {
  name: "LockWorker",
  decode: (bytes) => decodeRequest(LockWorkerRequest, bytes),
  deadlineMs: limits.readMs,
  drain: "finish",
  abort: "answer",
  run: async ({ name, reason }, _scope, needs) => {
    const fault = checkReason(reason);
    if (fault !== undefined) throw invalidField("reason", fault);
    const lockTime = new Date(needs.clock.now());
    await changeWorker(needs, name, (policy) => ({
      ...policy,
      // A repeated call is harmless: the lock is as old as it was.
      lock: { reason, lockTime: policy.lock?.lockTime ?? lockTime },
    }));
    return {};
  },
};
