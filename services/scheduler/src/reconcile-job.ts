/**
 * Compares one manifest with what the broker knows, and puts back what is missing: outcomes from
 * their copies, so that finished work is not done again, then tasks, then the job's record. Every
 * write is conditional, so that gateways and workers may do theirs meanwhile.
 */
import { isDeepStrictEqual } from "node:util";
import type { BlobInfo, BlobStore } from "@zfarm/blobs";
import { type Broker, findCopies, type Revision } from "@zfarm/broker";
import {
  controlCopyKey,
  type JobRecord,
  type JobRef,
  jobPrefix,
  limits,
  manifestKey,
  type PoolId,
  parseAttemptKey,
  parseManifestKey,
  type TaskSpec,
  taskIdOf,
} from "@zfarm/contract";
import type { Clock, Log } from "@zfarm/runtime";
import { type Manifest, readControlCopy, readManifest } from "./read-manifest.ts";
import { planManifest } from "./reconcile-plan.ts";
import type { StoreMetrics } from "./store-metrics.ts";

export interface ReconcileNeeds {
  readonly broker: Pick<Broker, "queue" | "outcomes" | "controls" | "jobs" | "loras" | "farm">;
  readonly blobs: Pick<BlobStore, "get" | "list" | "remove">;
  /** Whether a project lies in the leader's shard. */
  readonly isOwn: (project: string) => boolean;
  /** Indexes of the job's tasks that the leader knows to be live. */
  readonly live: (job: JobRef) => ReadonlySet<number>;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: StoreMetrics;
}

/** What one look came to; an ended job need not be looked at again until its manifest is old. */
export type Reconciled = "being-created" | "open" | "ended" | "removed" | "unusable";

/** BROKER_UNAVAILABLE, STORE_UNAVAILABLE, QUEUE_FULL: the same look may work later. */
export async function reconcileJob(needs: ReconcileNeeds, found: BlobInfo): Promise<Reconciled> {
  const job = parseManifestKey(found.key);
  if (job === undefined) return reportUnusable(needs, found.key);
  const stored = await needs.broker.jobs.find(job);
  // The manifest itself is read only where something may be missing.
  let manifest = stored === undefined ? await fetchManifest(needs, found.key) : undefined;
  const taskCount = stored?.record.taskCount ?? manifest?.tasks.length;
  if (taskCount === undefined) return "unusable";
  const plan = planManifest({
    ageMs: needs.clock.now() - found.modifiedMs,
    record: stored?.record,
    taskCount,
    ended: await findEnded(needs, job, taskCount),
  });
  if (plan.kind === "leave") return plan.reason;
  if (plan.kind === "remove") {
    await removeManifest(needs, job);
    needs.log.info({ job_id: job.job, reason: plan.reason }, "manifest removed");
    return "removed";
  }
  manifest ??= await fetchManifest(needs, found.key);
  if (manifest === undefined) return "unusable";
  const open = new Set(plan.open);
  // First: tasks that are held to something wait until it is known what.
  await restoreControl(needs, job, manifest);
  await ensureTasks(
    needs,
    job,
    manifest.tasks.filter(({ index }) => open.has(index)),
  );
  if (plan.record === "create") await restoreRecord(needs, manifest.record);
  if (plan.record === "admit" && stored !== undefined) {
    await admitRecord(needs, manifest.record, stored.revision);
  }
  return "open";
}

/** Undefined where it has gone since it was listed, or is none that can be used. */
async function fetchManifest(needs: ReconcileNeeds, key: string): Promise<Manifest | undefined> {
  const bytes = await needs.blobs.get(key);
  const manifest = bytes === undefined ? undefined : readManifest(bytes);
  if (bytes !== undefined && manifest === undefined) reportUnusable(needs, key);
  return manifest;
}

function reportUnusable({ log, metrics }: ReconcileNeeds, key: string): "unusable" {
  log.error({ key }, "manifest that cannot be read");
  metrics.reconciled.inc({ what: "unusable" });
  return "unusable";
}

/** Last, so that a restoration that is cut short begins again. */
async function restoreRecord(needs: ReconcileNeeds, record: JobRecord): Promise<void> {
  const { created } = await needs.broker.jobs.create({ ...record, admitted: true });
  if (!created) return;
  needs.metrics.reconciled.inc({ what: "job" });
  needs.log.warn({ job_id: record.job }, "lost job restored");
}

/**
 * All of its tasks are there by now. The manifest's record, whatever another request under its id
 * has left there since the loss. In a conflict somebody admits or refuses the job just now.
 */
async function admitRecord(
  { broker, log, metrics }: ReconcileNeeds,
  record: JobRecord,
  revision: Revision,
): Promise<void> {
  const put = await broker.jobs.update({ ...record, admitted: true }, revision);
  if (put === "conflict") return;
  metrics.reconciled.inc({ what: "job" });
  log.warn({ job_id: record.job }, "job admitted whose create has left no trace");
}

/**
 * What is wanted of the job: as its last change has left it, else as it was created. A change is
 * copied before it is made, so of the two the copy, read later, is never the older one: where they
 * differ the broker has lost the change, or somebody is just making it.
 */
async function restoreControl(
  { broker, blobs, metrics }: ReconcileNeeds,
  job: JobRef,
  { record, tasks }: Manifest,
): Promise<void> {
  const standing = await broker.controls.find(job);
  const bytes = await blobs.get(controlCopyKey(job));
  const copy = bytes === undefined ? undefined : readControlCopy(bytes);
  const isControlled = tasks.some(({ priority }) => priority?.isControlled === true);
  if (copy === undefined && (standing !== undefined || !isControlled)) return;
  const { scheduling } = record;
  const created = { ...job, scheduling, paused: false, approved: false };
  const wanted = { ...(copy ?? created), ...job };
  if (isDeepStrictEqual(wanted, standing?.control)) return;
  const put = await broker.controls.put(wanted, standing?.revision ?? 0n);
  if (put !== "conflict") metrics.reconciled.inc({ what: "control" });
}

/** Small jobs are asked for task by task, which costs less than a listing. */
async function findEnded(
  { broker }: ReconcileNeeds,
  job: JobRef,
  taskCount: number,
): Promise<Set<number>> {
  const ended = new Set<number>();
  if (taskCount >= limits.rebuildListMin) {
    for (const { outcome } of await broker.outcomes.list(job)) ended.add(outcome.spec?.index ?? -1);
    return ended;
  }
  for (let index = 0; index < taskCount; index += 1) {
    if ((await broker.outcomes.find(taskIdOf({ ...job, index }))) !== undefined) ended.add(index);
  }
  return ended;
}

/** Each of these tasks had no outcome a moment ago. */
async function ensureTasks(
  needs: ReconcileNeeds,
  job: JobRef,
  specs: readonly TaskSpec[],
): Promise<void> {
  const indexes = new Set(specs.map(({ index }) => index));
  const copies = await findCopies(needs.blobs, job, (index) => indexes.has(index));
  const live = needs.live(job);
  for (const spec of specs) {
    const copy = copies.get(spec.index);
    if (copy !== undefined) {
      await needs.broker.outcomes.publish(copy);
      needs.metrics.reconciled.inc({ what: "outcome" });
    } else if (!live.has(spec.index)) {
      await addTask(needs, spec);
    }
  }
}

async function addTask({ broker, metrics }: ReconcileNeeds, spec: TaskSpec): Promise<void> {
  if ((await broker.queue.add({ spec, attempts: 0 })) === "exists") return;
  const id = taskIdOf(spec);
  // It may have ended since its outcome was looked for, and must not be done twice.
  if ((await broker.outcomes.find(id)) === undefined) {
    metrics.reconciled.inc({ what: "task" });
    return;
  }
  const added = await broker.queue.find(spec.pool as PoolId, id);
  if (added !== undefined) await broker.queue.remove(added.revision);
}

/** The copies first: a manifest that is left behind is looked at again, copies are not. */
async function removeManifest({ blobs, metrics }: ReconcileNeeds, job: JobRef): Promise<void> {
  for await (const { key } of blobs.list(jobPrefix(job))) {
    if (parseAttemptKey(key)?.kind === "outcome-copy") await blobs.remove(key);
  }
  await blobs.remove(controlCopyKey(job));
  await blobs.remove(manifestKey(job));
  metrics.reconciled.inc({ what: "removed" });
}
