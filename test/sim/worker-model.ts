/**
 * A worker as the leader and the logs see it: asks, holds, beats, renders, delivers, reports.
 * Mirrors services/gpu-worker/src/{task-loop,attempt-runner,delivery,control,heartbeat}.ts.
 */
import {
  describeFailure,
  type FailureReason,
  type Heartbeat,
  type Lease,
  type LeasedTask,
  type LoraRef,
  limits,
  type Outcome,
  OutcomeKind,
  type PoolId,
  type Shelf,
  ShelfTier,
  type TaskSpec,
  taskIdOf,
  taskKey,
  type WorkerId,
  WorkerState,
  type WorkGrant,
} from "@zfarm/contract";
import type { TaskNature } from "./case.ts";
import { Proc, type Routine } from "./kernel.ts";
import { startAt, type World } from "./world.ts";

interface Held {
  readonly key: string;
  readonly spec: TaskSpec;
  readonly attempt: number;
  readonly renderMs: number;
  readonly startedAt: number;
  /** In the order of loading, before the first step. */
  readonly loadMs: number;
  fence: bigint;
  isDelivering: boolean;
}

/** Milliseconds that loading one adapter takes. */
const coldLoadMs = 300;

export class WorkerModel {
  readonly id: WorkerId;
  readonly pool: PoolId;
  readonly proc: Proc;
  readonly held = new Map<string, Held>();
  isDraining = false;
  isLeaving = false;
  /** Renders so many times slower. */
  slowness = 1;
  readonly #world: World;
  readonly #slots: number;
  /** Adapters on the device, the one used last at the end. */
  readonly #shelf = new Map<string, LoraRef>();
  #epochSeen = 0n;
  /** Names the request that is open; 0 while there is none. */
  #asking = 0;
  #askCount = 0;
  #epochAsked = 0n;
  #askedAt = 0;
  #failures = 0;

  constructor(world: World, identity: { id: string; pool: string; process: string }) {
    this.#world = world;
    this.id = identity.id as WorkerId;
    this.pool = identity.pool as PoolId;
    this.proc = new Proc(identity.process, world.case.seed);
    this.#slots = world.case.options.slots;
  }

  get isBusy(): boolean {
    return this.held.size > 0;
  }

  start(): void {
    const { kernel } = this.#world;
    this.proc.isUp = true;
    kernel.timer(this.proc, this.proc.rand.below(limits.beatMs), () => this.#beat());
    this.#ask();
  }

  /** Loses everything it knew; comes back after a while. */
  crash(downMs: number): void {
    const { kernel } = this.#world;
    kernel.kill(this.proc);
    this.held.clear();
    this.#shelf.clear();
    this.#epochSeen = 0n;
    this.#asking = 0;
    this.#failures = 0;
    this.isDraining = false;
    this.isLeaving = false;
    kernel.after(downMs, () => {
      if (!this.proc.isUp) this.start();
    });
  }

  /** For good: a second process of the same name that ends. */
  leave(): void {
    this.#world.kernel.kill(this.proc);
    this.held.clear();
    const { workers } = this.#world;
    workers.splice(workers.indexOf(this), 1);
  }

  /** SIGTERM: nobody can end this drain. */
  drainForGood(): void {
    this.isLeaving = true;
    this.drain();
  }

  /** The leader wants it, until it wants otherwise. */
  drain(): void {
    this.isDraining = true;
    this.#tell();
    for (const held of this.held.values()) if (this.#isWaiting(held)) this.#handBack(held);
  }

  resume(): void {
    if (this.isLeaving) return;
    this.isDraining = false;
    this.#tell();
    this.#ask();
  }

  cancel(epoch: bigint, leased: LeasedTask): void {
    if (!this.#obeys(epoch)) return;
    const held = this.held.get(taskKey(taskIdOf(leased)));
    if (held?.fence !== leased.fence) return;
    this.held.delete(held.key);
    this.#ask();
  }

  meetLeader(epoch: bigint): void {
    if (!this.#obeys(epoch) || this.#asking === 0 || epoch <= this.#epochAsked) return;
    this.#asking = 0;
    this.#ask();
  }

  command(epoch: bigint, what: "drain" | "resume"): void {
    if (!this.#obeys(epoch)) return;
    if (what === "drain") this.drain();
    else this.resume();
  }

  prewarm(epoch: bigint, adapter: LoraRef): void {
    if (!this.#obeys(epoch) || this.#shelf.has(adapter.digest)) return;
    this.#world.kernel.timer(this.proc, coldLoadMs, () => this.#load(adapter));
  }

  get leased(): LeasedTask[] {
    return [...this.held.values()].map((held) => this.#leasedOf(held));
  }

  get slotsFree(): number {
    if (this.isDraining) return 0;
    let inEngine = 0;
    for (const held of this.held.values()) if (!held.isDelivering) inEngine += 1;
    return Math.max(0, this.#slots - inEngine);
  }

  #obeys(epoch: bigint): boolean {
    if (epoch < this.#epochSeen) {
      this.#world.oracle.mark("old-leader-refused");
      return false;
    }
    this.#epochSeen = epoch;
    this.#world.oracle.obeyed(this, epoch);
    return true;
  }

  #ask(): void {
    if (this.#asking !== 0 || !this.proc.isUp || this.slotsFree < 1) return;
    const { kernel, broker, servers } = this.#world;
    this.#askCount += 1;
    const ask = this.#askCount;
    this.#asking = ask;
    this.#epochAsked = this.#epochSeen;
    this.#askedAt = kernel.now;
    if (servers.size === 0 && broker.answersTo(this.proc)) {
      kernel.after(2, () => this.#onSilence(ask), this.proc);
      return;
    }
    const request = {
      worker: this.id,
      pool: this.pool,
      epochSeen: this.#epochSeen,
      slotsFree: Math.min(this.slotsFree, limits.batchTasksMax),
      running: this.leased,
      shelf: this.#reportShelf(),
    };
    for (const leader of servers) {
      const respond = (grant: WorkGrant): void => {
        broker.send(leader.proc, this.proc, () => this.#onGrant(ask, grant));
      };
      broker.send(this.proc, leader.proc, () => leader.takeAsk(request, respond));
    }
    kernel.timer(this.proc, limits.askTimeoutMs, () => this.#onSilence(ask));
  }

  #onSilence(ask: number): void {
    if (this.#asking !== ask) return;
    this.#failures += 1;
    const boundMs = Math.min(5_000, 100 * 2 ** (this.#failures - 1));
    this.#world.kernel.timer(this.proc, this.proc.rand.below(boundMs), () => {
      if (this.#asking === ask) this.#asking = 0;
      this.#ask();
    });
  }

  #onGrant(ask: number, grant: WorkGrant): void {
    if (this.#asking !== ask) {
      if (grant.leases.length > 0) this.#world.oracle.mark("grant-came-late");
      return;
    }
    const { kernel } = this.#world;
    this.#asking = 0;
    this.#failures = 0;
    if (this.#obeys(grant.epoch) && grant.leases.length > 0) {
      for (const lease of grant.leases) this.#begin(lease);
      // The next request would list the leases; where none follows a beat does.
      if (this.slotsFree === 0) this.#tell();
    } else if (kernel.now - this.#askedAt < limits.askAgainMs) {
      // Sent away at once, as where two have one name: it would be so again.
      this.#asking = ask;
      kernel.timer(this.proc, limits.askAgainMs, () => {
        if (this.#asking === ask) this.#asking = 0;
        this.#ask();
      });
      return;
    }
    this.#ask();
  }

  #begin(lease: Lease): void {
    const { spec, fence, attempt } = lease;
    if (spec?.image === undefined) return;
    const { kernel, oracle, case: simCase } = this.#world;
    const key = taskKey(taskIdOf(spec));
    const standing = this.held.get(key);
    if (standing !== undefined) {
      oracle.mark("lease-renewed-at-worker");
      standing.fence = fence;
      return;
    }
    const loadMs = this.#loadStack(spec);
    const renderMs = spec.image.steps * simCase.options.stepMs * this.slowness;
    const startedAt = kernel.now;
    const held = { key, spec, attempt, renderMs, startedAt, loadMs, fence, isDelivering: false };
    this.held.set(key, held);
    oracle.started(key, fence);
    const nature = oracle.natureOf(key);
    const untilMs = loadMs + (nature === "good" ? renderMs : renderMs / 2);
    kernel.timer(this.proc, untilMs, () => this.#onRendered(held, nature));
  }

  #onRendered(held: Held, nature: TaskNature): void {
    if (this.held.get(held.key) !== held) return;
    const { oracle } = this.#world;
    switch (nature) {
      case "kills-worker":
        oracle.killed(held.key, this.id);
        this.crash(500);
        return;
      case "kills-engine":
        oracle.killed(held.key, this.id);
        for (const other of this.held.values()) {
          if (!other.isDelivering) this.#fail(other, "ENGINE_CRASHED");
        }
        return;
      case "flaky":
        if (this.proc.rand.chance(0.5)) return this.#succeedAt(held);
        return this.#fail(held, "NAN_OUTPUT");
      case "bad-numbers":
        return this.#fail(held, "NAN_OUTPUT");
      case "unusable":
        return this.#fail(held, "PROMPT_TOO_LONG");
      case "good":
        return this.#succeedAt(held);
    }
  }

  /** The slot is free from the last step on: uploads overlap the next batch. */
  #succeedAt(held: Held): void {
    held.isDelivering = true;
    this.#world.kernel.spawn(this.proc, this.#deliver(held));
    this.#ask();
  }

  /** Uploads, then publishes: the pointer never comes before the picture. */
  *#deliver(held: Held): Routine {
    const { kernel, broker, objects, oracle } = this.#world;
    // Fixed here: a lease that is renewed during the upload must not change where it went.
    const { fence } = held;
    const outcome = this.#succeed(held, fence);
    const picture = outcome.image?.key ?? "";
    for (let attempt = 1; this.#world.storeDownUntil > kernel.now; attempt += 1) {
      if (this.held.get(held.key) !== held) return;
      if (attempt > limits.deliveryAttemptsMax) return this.#fail(held, "UPLOAD_FAILED");
      yield* kernel.sleep(this.proc, 50 + this.proc.rand.below(100 * 2 ** attempt));
    }
    yield* kernel.sleep(this.proc, 2 + this.proc.rand.below(8));
    objects.set(picture, held.key);
    const { manifests } = this.#world;
    manifests?.copy(held.key, outcome);
    for (let attempt = 1; this.held.get(held.key) === held; attempt += 1) {
      const put = yield* broker.call(this.proc, () => oracle.publish(broker, held.key, outcome));
      if (put !== undefined) {
        if (put === "conflict" && !oracle.isOutcome(broker, held.key, fence)) {
          oracle.mark("picture-lost-race");
          manifests?.dropCopy(held.key, fence);
          objects.delete(picture);
        }
        break;
      }
      if (attempt > limits.deliveryAttemptsMax) break;
      yield* kernel.sleep(this.proc, this.proc.rand.below(Math.min(5_000, 100 * 2 ** attempt)));
    }
    this.#end(held);
  }

  #fail(held: Held, reason: FailureReason): void {
    held.isDelivering = true;
    const failure = describeFailure(reason, "as the case has it");
    this.#world.kernel.spawn(this.proc, this.#report(held, failure));
  }

  #handBack(held: Held): void {
    this.held.delete(held.key);
    this.#world.kernel.spawn(this.proc, this.#report(held, undefined));
  }

  /** Until the leader knows, heartbeats still list a lease that failed. */
  *#report(held: Held, failure: ReturnType<typeof describeFailure> | undefined): Routine {
    const { kernel, broker, servers } = this.#world;
    const leased = this.#leasedOf(held);
    let isHeard = false;
    for (let attempt = 1; attempt <= limits.deliveryAttemptsMax && !isHeard; attempt += 1) {
      for (const leader of servers) {
        broker.send(this.proc, leader.proc, () => {
          leader.takeReport(this.id, leased, failure);
          if (this.proc.rand.chance(broker.weather.ackLoss)) return;
          broker.send(leader.proc, this.proc, () => {
            isHeard = true;
          });
        });
      }
      const waitMs = servers.size === 0 ? 0 : 100;
      yield* kernel.sleep(this.proc, waitMs);
      if (isHeard) break;
      yield* kernel.sleep(this.proc, this.proc.rand.below(Math.min(5_000, 100 * 2 ** attempt)));
    }
    if (failure !== undefined) this.#end(held);
    else this.#ask();
  }

  #end(held: Held): void {
    if (this.held.get(held.key) === held) this.held.delete(held.key);
    this.#ask();
  }

  #beat(): void {
    const { kernel } = this.#world;
    this.#tell();
    kernel.timer(this.proc, limits.beatMs, () => this.#beat());
  }

  #tell(): void {
    this.#world.beat(this.proc, this.#heartbeat(), this.pool);
  }

  #heartbeat(): Heartbeat {
    const { kernel } = this.#world;
    const isFree = this.slotsFree > 0;
    const free = isFree ? WorkerState.READY : WorkerState.BUSY;
    return {
      worker: {
        name: `workers/${this.id}`,
        pool: this.pool,
        state: this.isDraining ? WorkerState.DRAINING : free,
        device: "cpu",
        model: "nano",
        modelDigest: "00",
        slots: this.#slots,
        running: this.held.size,
        heartbeatTime: new Date(startAt + kernel.now),
      },
      running: this.leased,
    };
  }

  #leasedOf(held: Held): LeasedTask {
    const { project, job, index, image } = held.spec;
    const steps = image?.steps ?? 1;
    const workedMs = (this.#world.kernel.now - held.startedAt) * this.proc.rate - held.loadMs;
    const step = Math.min(steps, Math.max(0, Math.floor((workedMs * steps) / held.renderMs)));
    return { project, job, index, fence: held.fence, step };
  }

  #isWaiting(held: Held): boolean {
    return !held.isDelivering && this.#leasedOf(held).step === 0;
  }

  #succeed(held: Held, fence: bigint): Outcome {
    const { spec, attempt } = held;
    const key = `${held.key}/${fence}.png`;
    const ms = Math.round(held.renderMs);
    const device = { seconds: BigInt(Math.floor(ms / 1_000)), nanos: (ms % 1_000) * 1_000_000 };
    return {
      spec,
      kind: OutcomeKind.SUCCEEDED,
      image: {
        key,
        sha256: held.key,
        sizeBytes: 1n,
        mediaType: "image/png",
        modelDigest: "00",
        timings: {
          queue: undefined,
          textEncode: undefined,
          denoise: device,
          vaeDecode: undefined,
          encodeFile: undefined,
          upload: undefined,
          device,
        },
      },
      worker: this.id,
      fence,
      attempt,
      endTime: new Date(startAt + this.#world.kernel.now),
    };
  }

  /** How long the adapters of the task take to come to the device. */
  #loadStack(spec: TaskSpec): number {
    let loadMs = 0;
    for (const adapter of spec.stack?.adapters ?? []) {
      if (this.#shelf.has(adapter.digest)) this.#shelf.delete(adapter.digest);
      else loadMs += coldLoadMs;
      this.#load(adapter);
    }
    return loadMs;
  }

  #load(adapter: LoraRef): void {
    this.#shelf.set(adapter.digest, adapter);
    for (const digest of this.#shelf.keys()) {
      if (this.#shelf.size <= this.#world.case.options.shelfMax) return;
      this.#shelf.delete(digest);
    }
  }

  #reportShelf(): Shelf | undefined {
    const { adapters, shelfMax } = this.#world.case.options;
    if (adapters === 0) return undefined;
    const items = [...this.#shelf.values()].map(({ digest, sizeBytes }) => ({
      digest,
      sizeBytes,
      tier: ShelfTier.DEVICE,
    }));
    return { items, deviceBytes: BigInt(shelfMax) * 100_000_000n, rankBudget: 128 };
  }
}
