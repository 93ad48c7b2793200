/** JobService.CreateJob: OK means that every task is stored. */
import {
  type CreateJobRequest,
  type CreateJobResponse,
  type JobRecord,
  limits,
  taskIdOf,
} from "@zfarm/contract";
import { invariant } from "@zfarm/runtime";
import { admitJob } from "../admission/admit-job.ts";
import { digestOf, promptFacts } from "../admission/request-digest.ts";
import { type Resolved, resolveLoras } from "../admission/resolve-loras.ts";
import { countTasks, jobView } from "../domain/job-state.ts";
import {
  type Draft,
  pathOfImage,
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
    const { submission, stacks } = await validate(needs, draft, scope);
    const digest = digestOf(draft, submission);
    if (request.validateOnly) return { job: unstoredJob(submission) };
    const record = await admitJob(needs, { submission, digest, stacks, span: scope.span });
    scope.note({ job_id: record.job });
    const ref = taskIdOf({ ...record, index: 0 });
    const outcomes = needs.feed.outcomesOf(ref);
    return { job: await viewJob(needs, { ref, record }, outcomes && { outcomes }) };
  },
};

/** What a request comes to once everything that it names was found. */
export interface Validated {
  readonly submission: Submission;
  /** Adapters of the picture at the same place. */
  readonly stacks: Resolved["stacks"];
}

/** Looks up what the request names and checks everything; notes what a log may know of prompts. */
export async function validate(
  { pools, loras, clock }: Pick<GatewayNeeds, "pools" | "loras" | "clock">,
  draft: Draft,
  scope: CallScope,
): Promise<Validated> {
  const pool = poolOfDraft(draft);
  const record = pool === undefined ? undefined : await pools.find(pool);
  const submission = validateDraft(draft, { pool: record, nowMs: clock.now() });
  const { project, requestId } = submission;
  const request = requestId === "" ? {} : { request_id: requestId };
  scope.note({ project, pool: submission.pool, ...request, ...promptFacts(submission.images) });
  invariant(record !== undefined, "a valid request is for a pool that was seen");
  const { images, stacks } = await resolveLoras(loras, {
    project: submission.project,
    images: submission.images,
    pool: record,
    pathOf: (index) => pathOfImage(draft, index),
  });
  return { submission: { ...submission, images }, stacks };
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
