/** JobService.PauseJob: no task of it starts any more; running ones finish. */
import { limits, PauseJobRequest, type PauseJobResponse } from "@zfarm/contract";
import { decodeRequest } from "./decode.ts";
import { runVerb } from "./run-verb.ts";
import type { UnaryMethod } from "./serve-call.ts";

export const pauseJob: UnaryMethod<PauseJobRequest, PauseJobResponse> = {
  name: "PauseJob",
  decode: (bytes) => decodeRequest(PauseJobRequest, bytes),
  deadlineMs: limits.readMs,
  drain: "finish",
  abort: "answer",
  run: async ({ name }, scope, needs) => {
    const job = await runVerb(needs, { name, scope }, (control) => ({ ...control, paused: true }));
    return { job };
  },
};
