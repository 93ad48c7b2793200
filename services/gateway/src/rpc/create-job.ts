/** JobService.CreateJob: OK means that every task is stored. */
import {
  type CreateJobRequest,
  type CreateJobResponse,
  type JobRecord,
  limits,
  taskIdOf,
} from "@zfarm/contract";
import { admitJob } from "../admission/admit-job.ts";
import { digestOf, promptFacts } from "../admission/request-digest.ts";
import { countTasks, jobView } from "../domain/job-state.ts";
import {
  type Draft,
  poolOfDraft,
  type Submission,
  validateDraft,
} from "../domain/validate-request.ts";
import type { GatewayNeeds } from "../needs.ts";
import type { CallScope } from "./call-scope.ts";
import { decodeCreateJob } from "./decode.ts";
import { viewJob } from "./job-lookup.ts";
import type { UnaryMethod } from "./serve-call.ts";

export const createJob: UnaryMethod<CreateJobRequest, CreateJobResponse> = {
  name: "CreateJob",
  decode: decodeCreateJob,
  deadlineMs: limits.createMs,
  drain: "finish",
  abort: "answer",
  run: async (request, scope, needs) => {
    const draft: Draft = { ...request, kind: "images" };
    const submission = await validate(needs, draft, scope);
    const digest = digestOf(draft, submission);
    if (request.validateOnly) return { job: unstoredJob(submission) };
    const record = await admitJob(needs, { submission, digest });
    scope.note({ job_id: record.job });
    const ref = taskIdOf({ ...record, index: 0 });
    const outcomes = needs.feed.outcomesOf(ref);
    return { job: await viewJob(needs, { ref, record }, outcomes && { outcomes }) };
  },
};

/** Looks the pool up and checks everything; notes what a log may know of the prompts. */
export async function validate(
  { pools, clock }: Pick<GatewayNeeds, "pools" | "clock">,
  draft: Draft,
  scope: CallScope,
): Promise<Submission> {
  const pool = poolOfDraft(draft);
  const record = pool === undefined ? undefined : await pools.find(pool);
  const submission = validateDraft(draft, { pool: record, nowMs: clock.now() });
  scope.note({ pool: submission.pool, ...promptFacts(submission.images) });
  return submission;
}

/** What validate_only answers: the job as it would be, without a name or a time. */
function unstoredJob(submission: Submission): CreateJobResponse["job"] {
  const record: JobRecord = {
    project: submission.project,
    job: "",
    requestDigest: "",
    pool: submission.pool,
    displayName: submission.displayName,
    taskCount: submission.images.length,
    admitted: false,
    scheduling: submission.scheduling,
  };
  const counts = countTasks(record.taskCount, [], new Set());
  return { ...jobView(record, counts), name: "", etag: "" };
}
