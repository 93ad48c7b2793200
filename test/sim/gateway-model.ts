/**
 * A gateway: admits jobs, cancels them, writes what is wanted of them. Stateless, so that any of
 * several may go on where another died. Mirrors services/gateway/src/admission.
 */
import {
  type JobControl,
  type JobRecord,
  OutcomeKind,
  PriorityClass,
  type QueuedTask,
  type TaskSpec,
  taskIdOf,
  taskKey,
} from "@zfarm/contract";
import { type Submit, shapes } from "./case.ts";
import { Proc, type Routine } from "./kernel.ts";
import { keyOfTask } from "./queue-model.ts";
import { startAt, type World } from "./world.ts";

export type Admission =
  | { readonly kind: "ok"; readonly job: string }
  | { readonly kind: "full" }
  | { readonly kind: "reused" }
  | { readonly kind: "outage" };

const generationsMax = 16;

export class GatewayModel {
  readonly proc: Proc;
  readonly #world: World;

  constructor(world: World, index: number) {
    this.#world = world;
    this.proc = new Proc(`gateway-${index}`, world.case.seed);
  }

  crash(downMs: number): void {
    const { kernel } = this.#world;
    kernel.kill(this.proc);
    kernel.after(downMs, () => {
      this.proc.isUp = true;
    });
  }

  *admit(submit: Submit): Routine<Admission> {
    const { broker, oracle } = this.#world;
    for (let generation = 0; generation < generationsMax; generation += 1) {
      const fresh = recordOf(submit, generation, this.#world.kernel.now);
      const key = keyOfJob(fresh);
      const claimed = yield* this.#call(() => {
        if (broker.jobs.put(key, fresh, 0n) !== "conflict") oracle.birth(fresh, submit.nature);
        return broker.jobs.get(key);
      });
      if (claimed === undefined) return { kind: "outage" };
      const { value: record, revision } = claimed;
      if (record.requestDigest === "") {
        oracle.mark("void-job-met");
        if (!(yield* this.cancelAll(record, "refused"))) return { kind: "outage" };
        continue;
      }
      if (record.requestDigest !== String(submit.body)) return { kind: "reused" };
      if (record.admitted) return { kind: "ok", job: record.job };
      const kept = yield* this.#keepManifest(submit, record);
      if (kept !== "kept") return { kind: kept };
      const added = yield* this.#addTasks(submit, record);
      if (added === "outage") return { kind: "outage" };
      if (added === "full") return yield* this.#undo(record, revision);
      return yield* this.#markAdmitted(record, revision);
    }
    return { kind: "full" };
  }

  /** One CANCELED outcome for each task without another. Gives whether the broker took them all. */
  *cancelAll(record: JobRecord, why: "asked" | "refused" = "asked"): Routine<boolean> {
    // Nothing will ever bring a refused job back, so that its outcomes need no copies.
    const manifests = why === "asked" ? this.#world.manifests : undefined;
    if (manifests?.isAway === true) return false;
    const { broker, oracle } = this.#world;
    for (let index = 0; index < record.taskCount; index += 1) {
      const id = taskIdOf({ project: record.project, job: record.job, index });
      const key = taskKey(id);
      const done = yield* this.#call(() => {
        if (broker.outcomes.get(key) !== undefined) return true;
        const stored = broker.queue.find(key)?.task.spec;
        const spec = stored ?? { ...bareSpec(record), index };
        const outcome = {
          spec,
          kind: OutcomeKind.CANCELED,
          worker: "",
          fence: 0n,
          attempt: 0,
          endTime: new Date(startAt + this.#world.kernel.now),
        };
        manifests?.copy(key, outcome);
        oracle.publish(broker, key, outcome);
        return true;
      });
      if (done === undefined) return false;
    }
    return true;
  }

  *find(job: string): Routine<JobRecord | null | undefined> {
    const { broker } = this.#world;
    const { manifests } = this.#world;
    // No such job is not said of one that is about to come back.
    return yield* this.#call(() => broker.jobs.get(job)?.value ?? manifests?.recordOf(job) ?? null);
  }

  /** Reads, changes, writes; gives whether it was done. */
  *control(record: JobRecord, change: Partial<JobControl>): Routine<boolean> {
    const { broker } = this.#world;
    const key = keyOfJob(record);
    const standing = yield* this.#call(() => broker.controls.get(key) ?? null);
    if (standing === undefined) return false;
    const before = standing?.value ?? blankControl(record);
    const changed = { ...before, ...change };
    const { manifests } = this.#world;
    if (manifests?.isAway === true) return false;
    manifests?.keepControl(changed);
    const put = yield* this.#call(() =>
      broker.controls.put(key, changed, standing?.revision ?? 0n),
    );
    return put !== undefined && put !== "conflict";
  }

  *#keepManifest(submit: Submit, record: JobRecord): Routine<"kept" | "outage" | "reused"> {
    const { manifests } = this.#world;
    if (manifests === undefined) return "kept";
    if (manifests.isAway) return "outage";
    const tasks = Array.from({ length: submit.tasks }, (_, index) => taskOf(submit, record, index));
    const scheduling = isControlled(submit) ? controlOf(submit, record).scheduling : undefined;
    const own = { ...record, scheduling };
    const standing = manifests.keep(own, tasks);
    if (standing.requestDigest !== record.requestDigest) return "reused";
    if (standing === own) return "kept";
    // The broker may have lost that it was accepted: what has ended is known again first.
    const found = yield* this.#call(() =>
      tasks.filter((task) => this.#world.findOutcome(keyOfTask(task)) !== undefined),
    );
    return found === undefined ? "outage" : "kept";
  }

  *#addTasks(submit: Submit, record: JobRecord): Routine<"ok" | "full" | "outage"> {
    const { broker, case: simCase } = this.#world;
    // What holds the job as a whole is stored before its first task.
    if (isControlled(submit)) {
      const isKnown = yield* this.#call(() => {
        const key = keyOfJob(record);
        broker.controls.put(key, controlOf(submit, record), 0n);
        return true;
      });
      if (isKnown === undefined) return "outage";
    }
    const tasks = Array.from({ length: submit.tasks }, (_, index) => taskOf(submit, record, index));
    for (const message of broker.queue.bundlesOf(tasks)) {
      const key = broker.queue.keyOf(message);
      const added = yield* this.#call(() => {
        const isNew = broker.queue.get(key) === undefined;
        const isFull = broker.queue.size >= simCase.options.queueMax;
        if (isNew && isFull) return "full";
        broker.queue.put(key, message, 0n);
        return "ok";
      });
      if (added === undefined) return "outage";
      if (added === "full") return "full";
    }
    return "ok";
  }

  *#markAdmitted(record: JobRecord, revision: bigint): Routine<Admission> {
    const { broker } = this.#world;
    const key = keyOfJob(record);
    const put = yield* this.#call(() =>
      broker.jobs.put(key, { ...record, admitted: true }, revision),
    );
    if (put === undefined) return { kind: "outage" };
    if (put !== "conflict") return { kind: "ok", job: record.job };
    const current = yield* this.find(key);
    if (current === undefined) return { kind: "outage" };
    if (current?.admitted === true) return { kind: "ok", job: record.job };
    this.#world.oracle.mark("admission-overtaken");
    if (!(yield* this.cancelAll(record, "refused"))) return { kind: "outage" };
    return { kind: "full" };
  }

  /** Refused means refused: the record is voided first, so that no retry admits it. */
  *#undo(record: JobRecord, revision: bigint): Routine<Admission> {
    const { broker } = this.#world;
    const key = keyOfJob(record);
    const put = yield* this.#call(() =>
      broker.jobs.put(key, { ...record, requestDigest: "" }, revision),
    );
    if (put === undefined) return { kind: "outage" };
    if (put === "conflict") {
      const current = yield* this.find(key);
      if (current === undefined) return { kind: "outage" };
      if (current?.admitted === true) return { kind: "ok", job: record.job };
    }
    if (!(yield* this.cancelAll(record, "refused"))) return { kind: "outage" };
    this.#world.manifests?.forget(key);
    this.#world.oracle.mark("job-refused");
    return { kind: "full" };
  }

  #call<T>(apply: () => T): Routine<T | undefined> {
    return this.#world.broker.call(this.proc, apply);
  }
}

export function keyOfJob({ project, job }: { project: string; job: string }): string {
  return `${project}.${job}`;
}

export function blankControl({ project, job }: JobRecord): JobControl {
  return { project, job, scheduling: undefined, paused: false, approved: false };
}

export function projectOf(submit: Submit): string {
  return `p${submit.project}`;
}

function recordOf(submit: Submit, generation: number, now: number): JobRecord {
  return {
    project: projectOf(submit),
    job: `r${submit.request}${generation === 0 ? "" : `g${generation}`}`,
    requestDigest: String(submit.body),
    pool: poolOf(submit),
    displayName: "",
    taskCount: submit.tasks,
    createTime: new Date(startAt + now),
    admitted: false,
  };
}

const classes = [
  PriorityClass.UNSPECIFIED,
  PriorityClass.INTERACTIVE,
  PriorityClass.STANDARD,
  PriorityClass.BATCH,
] as const;

export function classOf(number: number): PriorityClass {
  return classes[number % classes.length] ?? PriorityClass.UNSPECIFIED;
}

export function poolOf(submit: Submit): string {
  return `pool${submit.pool}`;
}

function taskOf(submit: Submit, record: JobRecord, index: number): QueuedTask {
  const { project, job, pool, createTime } = record;
  const shape = shapes[submit.shape % shapes.length] ?? shapes[0];
  const expireAt = createTime === undefined ? 0 : createTime.getTime() + submit.expireMs;
  const adapters = submit.stack.map((number) => ({
    digest: `lora${number}`,
    weight: 1,
    rank: 16,
    sizeBytes: 100_000_000n,
  }));
  const spec: TaskSpec = {
    project,
    job,
    index,
    pool,
    image: { prompt: "a cup", ...shape, seed: 1n, loras: [] },
    createTime,
    expireTime: submit.expireMs > 0 ? new Date(expireAt) : undefined,
    stack: adapters.length > 0 ? { adapters } : undefined,
    priority: {
      priorityClass: classOf(submit.priorityClass),
      priority: submit.priority,
      deadlineTime: deadlineOf(submit, record),
      isControlled: isControlled(submit),
    },
  };
  return { spec, attempts: 0 };
}

function controlOf(submit: Submit, record: JobRecord): JobControl {
  return {
    ...blankControl(record),
    scheduling: {
      priorityClass: classOf(submit.priorityClass),
      priority: submit.priority,
      deadlineTime: deadlineOf(submit, record),
      maxConcurrency: submit.maxConcurrency,
      maxFailedTasks: submit.maxFailed,
      sampleTasks: submit.sample,
    },
  };
}

function isControlled({ maxConcurrency, maxFailed, sample }: Submit): boolean {
  return maxConcurrency + maxFailed + sample > 0;
}

function deadlineOf({ deadlineMs }: Submit, { createTime }: JobRecord): Date | undefined {
  if (deadlineMs === 0 || createTime === undefined) return undefined;
  return new Date(createTime.getTime() + deadlineMs);
}

function bareSpec({ project, job, pool, createTime }: JobRecord): Omit<TaskSpec, "index"> {
  return { project, job, pool, createTime };
}
