/** JobService.GetJob: the record, and counts derived from the outcomes. */
import { GetJobRequest, type GetJobResponse, limits } from "@zfarm/contract";
import { decodeRequest } from "./decode.ts";
import { findJob, viewJob } from "./job-lookup.ts";
import type { UnaryMethod } from "./serve-call.ts";

export const getJob: UnaryMethod<GetJobRequest, GetJobResponse> = {
  name: "GetJob",
  decode: (bytes) => decodeRequest(GetJobRequest, bytes),
  deadlineMs: limits.readMs,
  drain: "finish",
  abort: "answer",
  run: async ({ name }, scope, needs) => {
    const found = await findJob(needs, name, "name");
    scope.note({ job_id: found.ref.job });
    return { job: await viewJob(needs, found) };
  },
};
