/** The tasks a worker holds leases for, and how far each one is. Keeps account, does nothing. */
import {
  type ImageSpec,
  imageKey,
  type LatentCheckpoint,
  type Lease,
  type LeasedTask,
  type LoraRef,
  type TaskId,
  type TaskKey,
  type TaskSpec,
  taskIdOf,
  taskKey,
} from "@zfarm/contract";

/**
 * loading: its adapters are on their way; it takes no slot. waiting: given to the engine, not
 * begun. rendering: the engine works on it. delivering: its
 * last denoise step is done or it failed; it no longer takes a slot.
 */
export type HeldPhase = "loading" | "waiting" | "rendering" | "delivering";

export class HeldTask {
  /** Names the attempt towards the engine: unique even where a task is leased again. */
  readonly name: string;
  readonly id: TaskId;
  readonly key: TaskKey;
  readonly spec: TaskSpec;
  readonly image: ImageSpec;
  readonly attempt: number;
  /** When the lease arrived, milliseconds since the epoch. */
  readonly grantedMs: number;
  /** Where its trace goes on: at the leader's part of it, where that is kept. */
  readonly traceparent: string | undefined;
  /** What another worker has done of it. */
  readonly latents: LatentCheckpoint | undefined;
  /** Aborts when the result no longer matters: canceled or handed back. */
  readonly abandoned = new AbortController();
  fence: bigint;
  phase: HeldPhase = "waiting";
  /** The attempt is over without a picture; only its report is on its way. */
  hasFailed = false;
  /** Denoise steps done. */
  step = 0;
  /** What the engine gave out of it last: its latents, float32, after so many steps. */
  done: { readonly step: number; readonly latents: Float32Array } | undefined;

  constructor(lease: Lease & { spec: TaskSpec }, image: ImageSpec, grantedMs: number) {
    this.id = taskIdOf(lease.spec);
    this.key = taskKey(this.id);
    this.name = `${this.key}/${lease.fence}`;
    this.spec = lease.spec;
    this.image = image;
    this.fence = lease.fence;
    this.attempt = lease.attempt;
    this.traceparent = lease.traceparent ?? lease.spec.traceparent;
    this.latents = lease.latents;
    this.grantedMs = grantedMs;
  }

  /** What the leader hears about it. */
  get leased(): LeasedTask {
    const { project, job, index } = this.id;
    return { project, job, index, fence: this.fence, step: this.step };
  }

  /** The adapters of its stack. */
  get adapters(): readonly LoraRef[] {
    return this.spec.stack?.adapters ?? [];
  }

  /** Where this attempt puts its picture. */
  get imageKey(): string {
    return imageKey(this.id, this.fence);
  }
}

/** One entry per task: a second lease of a task that is held only renews its fence. */
export class HeldTasks {
  readonly #byKey = new Map<TaskKey, HeldTask>();

  get size(): number {
    return this.#byKey.size;
  }

  all(): HeldTask[] {
    return [...this.#byKey.values()];
  }

  get(key: TaskKey): HeldTask | undefined {
    return this.#byKey.get(key);
  }

  /** The entry under its attempt's name; undefined once it was removed. */
  named(name: string): HeldTask | undefined {
    return this.all().find((held) => held.name === name);
  }

  /** The entry that a leader means: the same task under the same fence. */
  leasedAs(leased: LeasedTask): HeldTask | undefined {
    const held = this.#byKey.get(taskKey(taskIdOf(leased)));
    return held?.fence === leased.fence ? held : undefined;
  }

  add(held: HeldTask): void {
    this.#byKey.set(held.key, held);
  }

  /** Whether it was there: of two that end a task, one goes on. */
  remove(held: HeldTask): boolean {
    if (this.#byKey.get(held.key) !== held) return false;
    return this.#byKey.delete(held.key);
  }

  leased(): LeasedTask[] {
    return this.all().map((held) => held.leased);
  }

  /** Tasks that the engine has or is about to have. */
  countInEngine(): number {
    return this.all().filter(({ phase }) => phase === "waiting" || phase === "rendering").length;
  }

  count(phase: HeldPhase): number {
    return this.all().filter((held) => held.phase === phase).length;
  }
}
