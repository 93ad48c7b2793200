/** JobService.CancelJob: finished tasks keep their pictures; harmless when repeated. */
import { CancelJobRequest, type CancelJobResponse, limits } from "@zfarm/contract";
import { cancelUnfinished } from "../admission/cancel-tasks.ts";
import { decodeRequest } from "./decode.ts";
import { findJob, viewJob } from "./job-lookup.ts";
import type { UnaryMethod } from "./serve-call.ts";

export const cancelJob: UnaryMethod<CancelJobRequest, CancelJobResponse> = {
  name: "CancelJob",
  decode: (bytes) => decodeRequest(CancelJobRequest, bytes),
  deadlineMs: limits.createMs,
  drain: "finish",
  abort: "answer",
  run: async ({ name }, scope, needs) => {
    const found = await findJob(needs, name, "name");
    scope.note({ job_id: found.ref.job });
    await cancelUnfinished(needs, found.record);
    return { job: await viewJob(needs, found) };
  },
};
