/** JobService.ApproveJob: the tasks behind the sample may run. */
import {
  ApproveJobRequest,
  type ApproveJobResponse,
  FarmError,
  type JobControl,
  limits,
} from "@zfarm/contract";
import { decodeRequest } from "./decode.ts";
import { runVerb } from "./run-verb.ts";
import type { UnaryMethod } from "./serve-call.ts";

export const approveJob: UnaryMethod<ApproveJobRequest, ApproveJobResponse> = {
  name: "ApproveJob",
  decode: (bytes) => decodeRequest(ApproveJobRequest, bytes),
  deadlineMs: limits.readMs,
  drain: "finish",
  abort: "answer",
  run: async ({ name }, scope, needs) => ({ job: await runVerb(needs, { name, scope }, approve) }),
};

function approve(control: JobControl): JobControl {
  if ((control.scheduling?.sampleTasks ?? 0) > 0) return { ...control, approved: true };
  throw new FarmError("NO_SAMPLE", "the job has no sample, so nothing of it waits for approval");
}
