/** JobService.ResumeJob: ends a pause. */
import { limits, ResumeJobRequest, type ResumeJobResponse } from "@zfarm/contract";
import { decodeRequest } from "./decode.ts";
import { runVerb } from "./run-verb.ts";
import type { UnaryMethod } from "./serve-call.ts";

export const resumeJob: UnaryMethod<ResumeJobRequest, ResumeJobResponse> = {
  name: "ResumeJob",
  decode: (bytes) => decodeRequest(ResumeJobRequest, bytes),
  deadlineMs: limits.readMs,
  drain: "finish",
  abort: "answer",
  run: async ({ name }, scope, needs) => {
    const job = await runVerb(needs, { name, scope }, (control) => ({ ...control, paused: false }));
    return { job };
  },
};
