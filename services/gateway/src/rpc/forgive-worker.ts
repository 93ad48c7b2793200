/** FleetService.ForgiveWorker: its failures up to now are forgotten, and it leaves quarantine. */
import { ForgiveWorkerRequest, type ForgiveWorkerResponse, limits } from "@zfarm/contract";
import { changeWorker } from "./change-worker.ts";
import { decodeRequest } from "./decode.ts";
import type { UnaryMethod } from "./serve-call.ts";

export const forgiveWorker: UnaryMethod<ForgiveWorkerRequest, ForgiveWorkerResponse> = {
  name: "ForgiveWorker",
  decode: (bytes) => decodeRequest(ForgiveWorkerRequest, bytes),
  deadlineMs: limits.readMs,
  drain: "finish",
  abort: "answer",
  run: async ({ name }, _scope, needs) => {
    const forgiveTime = new Date(needs.clock.now());
    await changeWorker(needs, name, (policy) => ({
      ...policy,
      forgiveTime,
      quarantine: undefined,
    }));
    return {};
  },
};
