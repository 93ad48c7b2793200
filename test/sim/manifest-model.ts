/**
 * What a farm with manifests keeps in the object store, and how a leader puts back what the broker
 * lost. Mirrors services/gateway/src/admission/job-manifests.ts, packages/broker/src/
 * copy-outcomes.ts and services/scheduler/src/{keep-store,reconcile-job,lost-outcomes}.ts.
 */
import {
  type JobControl,
  type JobRecord,
  limits,
  type Outcome,
  type QueuedTask,
  taskIdOf,
  taskKey,
} from "@zfarm/contract";
import type { Proc, Routine } from "./kernel.ts";
import type { World } from "./world.ts";

interface Manifest {
  readonly record: JobRecord;
  readonly tasks: readonly QueuedTask[];
  readonly writtenAt: number;
}

/** Whoever reconciles, for as long as it may. */
interface Keeper {
  readonly proc: Proc;
  readonly isEnded: boolean;
}

export class ManifestModel {
  readonly #world: World;
  readonly #manifests = new Map<string, Manifest>();
  readonly #controls = new Map<string, JobControl>();
  /** By task, in the order of ending. */
  readonly #copies = new Map<string, Outcome[]>();
  /** The queue had no room for all that was lost: the round is to be done again. */
  #isFull = false;

  constructor(world: World) {
    this.#world = world;
  }

  get isAway(): boolean {
    return this.#world.storeDownUntil > this.#world.kernel.now;
  }

  /** What stands then: this or what an earlier try has written. */
  keep(record: JobRecord, tasks: readonly QueuedTask[]): JobRecord {
    const key = `${record.project}.${record.job}`;
    const standing = this.#manifests.get(key);
    if (standing !== undefined) return standing.record;
    this.#manifests.set(key, { record, tasks, writtenAt: this.#world.kernel.now });
    return record;
  }

  forget(job: string): void {
    this.#manifests.delete(job);
  }

  recordOf(job: string): JobRecord | undefined {
    const record = this.#manifests.get(job)?.record;
    return record && { ...record, admitted: true };
  }

  /** The same by the job's id alone. */
  recordOfJob(job: string): JobRecord | undefined {
    const found = [...this.#manifests.values()].find(({ record }) => record.job === job);
    return found?.record;
  }

  keepControl(control: JobControl): void {
    this.#controls.set(`${control.project}.${control.job}`, control);
  }

  copy(key: string, outcome: Outcome): void {
    const others = (this.#copies.get(key) ?? []).filter(({ fence }) => fence !== outcome.fence);
    this.#copies.set(key, [...others, outcome]);
  }

  dropCopy(key: string, fence: bigint): void {
    const others = (this.#copies.get(key) ?? []).filter((copy) => copy.fence !== fence);
    this.#copies.set(key, others);
  }

  copyOf(key: string): Outcome | undefined {
    if (!this.isAway) return this.#copies.get(key)?.[0];
    this.#world.oracle.copiesMissedAt = this.#world.kernel.now;
    return undefined;
  }

  /** Beside a term that serves. */
  *keepStore(keeper: Keeper): Routine {
    const { kernel } = this.#world;
    for (let waitMs: number = limits.manifestSettleMs; !keeper.isEnded; ) {
      while (this.isAway && !keeper.isEnded) yield* kernel.sleep(keeper.proc, 1_000);
      this.#isFull = false;
      for (const [job, manifest] of this.#manifests) {
        if (keeper.isEnded) return;
        yield* this.#reconcile(keeper, job, manifest);
      }
      this.#world.oracle.mark("manifests-compared");
      yield* kernel.sleep(keeper.proc, this.#isFull ? 5_000 : waitMs);
      if (!this.#isFull) waitMs = limits.reconcileEveryMs;
    }
  }

  *#reconcile({ proc }: Keeper, job: string, manifest: Manifest): Routine {
    const { broker, kernel, oracle } = this.#world;
    const stored = broker.jobs.get(job);
    const open = manifest.tasks.filter((task) => !this.#isEnded(task));
    if (stored?.value.requestDigest === "") return this.forget(job);
    const isSettled = kernel.now - manifest.writtenAt > limits.manifestSettleMs;
    if (stored?.value.admitted === false && !isSettled) return;
    if (stored?.value.admitted === true && open.length === 0) return;
    yield* broker.call(proc, () => {
      if (this.#manifests.get(job) !== manifest) return;
      this.#restoreControl(job, manifest);
      for (const task of open) this.#restoreTask(task);
      const standing = broker.jobs.get(job);
      if (this.#isFull) return;
      if (standing?.value.admitted === true || standing?.value.requestDigest === "") return;
      if (standing === undefined) oracle.mark("job-restored");
      else oracle.mark("job-admitted-late");
      // The manifest's, whatever another request under its id has left there since.
      const record = { ...manifest.record, admitted: true };
      broker.jobs.put(job, record, standing?.revision ?? 0n);
    });
  }

  #isEnded({ spec }: QueuedTask): boolean {
    return spec !== undefined && this.#world.broker.outcomes.get(keyOf(spec)) !== undefined;
  }

  #restoreControl(job: string, { record, tasks }: Manifest): void {
    const { controls } = this.#world.broker;
    const standing = controls.get(job);
    const copy = this.#controls.get(job);
    const isControlled = tasks.some(({ spec }) => spec?.priority?.isControlled === true);
    if (copy === undefined && (standing !== undefined || !isControlled)) return;
    const { project, scheduling } = record;
    const created = { project, job: record.job, scheduling, paused: false, approved: false };
    const wanted = copy ?? created;
    if (standing?.value === wanted) return;
    this.#world.oracle.mark("control-restored");
    controls.put(job, wanted, standing?.revision ?? 0n);
  }

  #restoreTask(task: QueuedTask): void {
    const { spec } = task;
    if (spec === undefined || this.#isEnded(task)) return;
    const key = keyOf(spec);
    if (this.#world.findOutcome(key) !== undefined) return;
    const { queue } = this.#world.broker;
    if (queue.find(key) !== undefined) return;
    if (queue.size >= this.#world.case.options.queueMax) {
      this.#isFull = true;
      return;
    }
    queue.put(key, [task], 0n);
    this.#world.oracle.mark("task-restored");
  }
}

function keyOf(spec: NonNullable<QueuedTask["spec"]>): string {
  return taskKey(taskIdOf(spec));
}
