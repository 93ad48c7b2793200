/** FleetService.UnlockWorker: it is served again. */
import { limits, UnlockWorkerRequest, type UnlockWorkerResponse } from "@zfarm/contract";
import { changeWorker } from "./change-worker.ts";
import { decodeRequest } from "./decode.ts";
import type { UnaryMethod } from "./serve-call.ts";

export const unlockWorker: UnaryMethod<UnlockWorkerRequest, UnlockWorkerResponse> = {
  name: "UnlockWorker",
  decode: (bytes) => decodeRequest(UnlockWorkerRequest, bytes),
  deadlineMs: limits.readMs,
  drain: "finish",
  abort: "answer",
  run: async ({ name }, _scope, needs) => {
    await changeWorker(needs, name, (policy) => ({ ...policy, lock: undefined }));
    return {};
  },
};
