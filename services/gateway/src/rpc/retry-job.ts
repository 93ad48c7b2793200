/** JobService.RetryJob: the failed and expired tasks of a job, as a new job of their own. */
import type { StoredOutcome } from "@zfarm/broker";
import {
  FarmError,
  type ImageSpec,
  type LoraStack,
  limits,
  OutcomeKind,
  type PoolId,
  type PoolRecord,
  RetryJobRequest,
  type RetryJobResponse,
  type Scheduling,
  taskIdOf,
} from "@zfarm/contract";
import { type Admission, admitJob } from "../admission/admit-job.ts";
import { digestOfRetry } from "../admission/request-digest.ts";
import { checkImage } from "../domain/image-rules.ts";
import { schedulingOf } from "../domain/job-state.ts";
import { adapterProblem, stackProblem } from "../domain/stack-rules.ts";
import { checkRequestId } from "../domain/validate-request.ts";
import { invalidField, Violations } from "../domain/violations.ts";
import type { FoundLora } from "../loras/lora-finder.ts";
import type { GatewayNeeds } from "../needs.ts";
import { decodeRequest } from "./decode.ts";
import { type FoundJob, findJob, viewJob } from "./job-lookup.ts";
import type { UnaryMethod } from "./serve-call.ts";

export const retryJob: UnaryMethod<RetryJobRequest, RetryJobResponse> = {
  name: "RetryJob",
  decode: (bytes) => decodeRequest(RetryJobRequest, bytes),
  deadlineMs: limits.createMs,
  drain: "finish",
  abort: "answer",
  run: async ({ name, requestId }, scope, needs) => {
    const fault = checkRequestId(requestId);
    if (fault !== undefined) throw invalidField("request_id", fault);
    const found = await findJob(needs, name, "name");
    const admission = await prepare(needs, found, requestId);
    const record = await admitJob(needs, { ...admission, span: scope.span });
    const request = requestId === "" ? {} : { request_id: requestId };
    scope.note({
      project: record.project,
      job_id: record.job,
      retry_of: found.ref.job,
      ...request,
    });
    return { job: await viewJob(needs, { ref: taskIdOf({ ...record, index: 0 }), record }) };
  },
};

interface FailedTask {
  readonly image: ImageSpec;
  readonly stack: LoraStack | undefined;
}

async function prepare(
  needs: GatewayNeeds,
  found: FoundJob,
  requestId: string,
): Promise<Admission> {
  const { ref, record } = found;
  const pool = record.pool as PoolId;
  const [outcomes, standing, poolRecord] = await Promise.all([
    needs.broker.outcomes.list(ref),
    needs.broker.controls.find(ref),
    needs.pools.find(pool),
  ]);
  const failed = failedTasks(outcomes);
  if (failed.length === 0) {
    throw new FarmError("NOTHING_FAILED", "no task of the job has failed or expired");
  }
  if (poolRecord === undefined) throw new FarmError("NO_CAPABLE_POOL", `there is no pool ${pool}`);
  const digests = failed.flatMap(({ stack }) => stack?.adapters.map(({ digest }) => digest) ?? []);
  requireCapable(failed, poolRecord, await needs.loras.findAll(ref.project, digests));
  const scheduling = schedulingOf(record, standing?.control);
  return {
    submission: {
      project: ref.project,
      pool,
      requestId,
      displayName: record.displayName,
      images: failed.map(({ image }) => image),
      scheduling: rescheduled(scheduling, failed.length, needs.clock.now()),
    },
    digest: digestOfRetry(ref),
    stacks: failed.map(({ stack }) => stack),
    retryOf: ref.job,
  };
}

/** In the order of their ends, which is the same for every try of one request. */
function failedTasks(outcomes: readonly StoredOutcome[]): FailedTask[] {
  return outcomes.flatMap(({ outcome: { kind, spec } }) => {
    const isFailed = kind === OutcomeKind.FAILED || kind === OutcomeKind.EXPIRED;
    return isFailed && spec?.image !== undefined ? [{ image: spec.image, stack: spec.stack }] : [];
  });
}

/**
 * NO_CAPABLE_POOL where the pool changed and could not draw the pictures any more.
 * @param found the adapters by digest, but those that were deleted since: their files are kept, and
 *     what they were checked against is not known any more.
 */
function requireCapable(
  failed: readonly FailedTask[],
  pool: PoolRecord,
  found: ReadonlyMap<string, FoundLora>,
): void {
  const violations = new Violations();
  for (const [index, { image, stack }] of failed.entries()) {
    checkImage(image, { path: `failed task ${index}`, pool }, violations);
    const problem = stackProblem(stack, pool) ?? foreignAdapter(stack, pool, found);
    if (problem !== undefined) throw new FarmError("NO_CAPABLE_POOL", problem);
  }
  if (violations.count === 0) return;
  const { message } = violations.toError();
  throw new FarmError("NO_CAPABLE_POOL", `pool ${pool.pool} has changed: ${message}`);
}

function foreignAdapter(
  stack: LoraStack | undefined,
  pool: PoolRecord,
  found: ReadonlyMap<string, FoundLora>,
): string | undefined {
  for (const { digest } of stack?.adapters ?? []) {
    const known = found.get(digest);
    const problem = known && adapterProblem(digest, known.architecture, pool);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

/** The sample was looked at already, and a deadline that has passed is none any more. */
function rescheduled(scheduling: Scheduling, tasks: number, nowMs: number): Scheduling {
  const { deadlineTime, maxFailedTasks } = scheduling;
  const isAhead = deadlineTime !== undefined && deadlineTime.getTime() > nowMs;
  return {
    ...scheduling,
    deadlineTime: isAhead ? deadlineTime : undefined,
    maxFailedTasks: Math.min(maxFailedTasks, tasks),
    sampleTasks: 0,
  };
}
