/**
 * What RenderImage and StreamRender share: a job of one task, from its admission to its picture.
 */
import {
  FarmError,
  type JobRecord,
  type JobRef,
  type Outcome,
  type RenderedImage,
  type RenderImageRequest,
  taskIdOf,
  taskName,
} from "@zfarm/contract";
import { type Admission, admitJob } from "../admission/admit-job.ts";
import { cancelUnfinished } from "../admission/cancel-tasks.ts";
import { digestOf } from "../admission/request-digest.ts";
import { errorOfOutcome } from "../domain/outcome-error.ts";
import type { Draft } from "../domain/validate-request.ts";
import type { GatewayNeeds } from "../needs.ts";
import type { CallScope } from "./call-scope.ts";
import { validate } from "./create-job.ts";
import { pictureBytes, pictureView } from "./task-view.ts";

export interface Rendered {
  readonly task: string;
  readonly image: RenderedImage;
}

/** Steps of a render that a caller may want to take part in. */
export interface RenderHooks {
  /** The job's id is known and nothing is stored yet. */
  readonly beforePublish?: (job: JobRef) => Promise<void>;
  /** The task is stored. */
  readonly admitted?: (job: JobRef) => void;
}

/** Renders and waits. When the caller leaves or its deadline passes, the task is canceled. */
export async function render(
  needs: GatewayNeeds,
  request: RenderImageRequest,
  call: { readonly scope: CallScope; readonly hooks?: RenderHooks },
): Promise<Rendered> {
  const { scope, hooks = {} } = call;
  const admission = await prepare(needs, request, scope);
  const record = await admitJob(needs, { ...admission, ...beforePublish(hooks) });
  const id = taskIdOf({ ...record, index: 0 });
  scope.note({ job_id: record.job });
  hooks.admitted?.(id);
  const outcome = await awaitOutcome(needs, record, scope);
  const failure = errorOfOutcome(outcome);
  scope.note({ worker_id: outcome.worker, attempt: outcome.attempt });
  if (failure !== undefined) throw failure;
  const span = scope.span.child("answer with the picture");
  try {
    return { task: taskName(id), image: await deliver(needs, outcome, request.includeData) };
  } finally {
    span.end();
  }
}

async function prepare(
  needs: GatewayNeeds,
  request: RenderImageRequest,
  scope: CallScope,
): Promise<Admission> {
  const images = request.image === undefined ? [] : [request.image];
  const draft: Draft = { ...request, displayName: "", images, kind: "image" };
  const { submission, stacks } = await validate(needs, draft, scope);
  // A caller that left while its request was checked has created nothing.
  scope.signal.throwIfAborted();
  const digest = digestOf(draft, submission);
  // Nobody waits for the picture after the deadline, not even if this gateway dies before it.
  const expireTime = new Date(scope.deadline);
  return { submission, digest, stacks, expireTime, span: scope.span };
}

function beforePublish({ beforePublish: hook }: RenderHooks): Pick<Admission, "beforePublish"> {
  return hook === undefined ? {} : { beforePublish: hook };
}

async function awaitOutcome(
  needs: GatewayNeeds,
  record: JobRecord,
  { signal }: CallScope,
): Promise<Outcome> {
  const job = taskIdOf({ ...record, index: 0 });
  const outcome = await firstOutcome(needs, job, signal);
  if (outcome !== undefined) return outcome;
  if (!signal.aborted) throw new FarmError("BROKER_UNAVAILABLE", "the broker ended the wait");
  const reason = FarmError.from(signal.reason);
  // A gateway that stops leaves the task alone: a retry with the request id finds it.
  if (reason.code !== "DRAINING") await cancelUnfinished(needs, record);
  throw reason;
}

/**
 * The first outcome of the job; undefined where the wait ended before. What ending a follower
 * costs at the broker is paid behind the caller's back.
 */
async function firstOutcome(
  { feed, log }: GatewayNeeds,
  job: JobRef,
  stop: AbortSignal,
): Promise<Outcome | undefined> {
  const followed = feed.follow(job, stop)[Symbol.asyncIterator]();
  for (;;) {
    const next = await followed.next();
    if (next.done === true) return undefined;
    const [first] = next.value.kind === "entries" ? next.value.entries : [];
    if (first === undefined) continue;
    void followed.return?.().catch((error: unknown) => log.debug({ error }, "follower not ended"));
    return first.outcome;
  }
}

async function deliver(
  needs: GatewayNeeds,
  outcome: Outcome,
  includeData: boolean,
): Promise<RenderedImage> {
  const stored = outcome.image;
  if (stored === undefined) throw new FarmError("INTERNAL", "a success without a picture");
  const view = await pictureView(needs, stored, outcome.spec?.image);
  return includeData ? { ...view, data: await pictureBytes(needs, stored) } : view;
}
