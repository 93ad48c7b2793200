/** FleetService.Resume: ends a drain. */
import { limits, ResumeRequest, type ResumeResponse } from "@zfarm/contract";
import { decodeRequest } from "./decode.ts";
import type { UnaryMethod } from "./serve-call.ts";
import { setDraining } from "./set-draining.ts";

export const resume: UnaryMethod<ResumeRequest, ResumeResponse> = {
  name: "Resume",
  decode: (bytes) => decodeRequest(ResumeRequest, bytes),
  deadlineMs: limits.readMs,
  drain: "finish",
  abort: "answer",
  run: async ({ name }, _scope, needs) => {
    await setDraining(needs, name, false);
    return {};
  },
};
