/**
 * A scheduler process: stands by for the lease of leadership, leads a term, stands by again.
 * Mirrors services/scheduler/src/lead-loop.ts and packages/broker/src/leadership.ts.
 */
import { type Heartbeat, limits, type PoolId } from "@zfarm/contract";
import { EarsModel } from "./ears-model.ts";
import { Proc, type Routine } from "./kernel.ts";
import { LeaderModel } from "./leader-model.ts";
import type { World } from "./world.ts";

export class SchedulerModel {
  readonly proc: Proc;
  term: LeaderModel | undefined = undefined;
  readonly #world: World;
  #ears: EarsModel;
  #terms = 0;
  #revision = 0n;
  /** When the newest renewal that succeeded was sent, by its monotonic clock. */
  #renewedAt = 0;

  constructor(world: World, index: number) {
    this.#world = world;
    this.proc = new Proc(`scheduler-${index}`, world.case.seed);
    this.#ears = new EarsModel(world, this.proc);
    world.hearers.add(this);
  }

  start(): void {
    this.proc.isUp = true;
    this.#ears = new EarsModel(this.#world, this.proc);
    this.#world.kernel.spawn(this.proc, this.#standBy(0));
  }

  hear(heartbeat: Heartbeat, pool: PoolId): void {
    this.#ears.hear(heartbeat, pool);
    this.term?.hear(heartbeat, pool);
  }

  /** SIGKILL; comes back after a while. */
  crash(downMs: number): void {
    const { kernel } = this.#world;
    kernel.kill(this.proc);
    this.term?.end("killed");
    this.term = undefined;
    kernel.after(downMs, () => {
      if (!this.proc.isUp) this.start();
    });
  }

  /** SIGTERM, as in a rolling update. */
  resign(): void {
    const { term } = this;
    if (term === undefined || term.isEnded) return;
    this.#world.kernel.spawn(this.proc, this.#giveUp(term));
  }

  *#giveUp(term: LeaderModel): Routine {
    yield* term.resign();
    if (this.term !== term) return;
    this.term = undefined;
    const { broker } = this.#world;
    const revision = this.#revision;
    yield* broker.call(this.proc, () => broker.lease.remove(revision));
    yield* this.#standBy(1);
  }

  *#standBy(failures: number): Routine {
    const { kernel, broker } = this.#world;
    const { proc } = this;
    if (failures > 0) yield* kernel.sleep(proc, proc.rand.below(100 * 2 ** failures));
    this.#terms += 1;
    const holder = `${proc.name}/${proc.life}/${this.#terms}`;
    const seen = { revision: 0n, at: Number.POSITIVE_INFINITY };
    for (;;) {
      const sentAt = proc.mono(kernel.now);
      const held = yield* broker.call(proc, () => broker.leaseRevision);
      // What was renewed while nobody could look is not known.
      if (held === undefined) Object.assign(seen, { revision: 0n, at: Number.POSITIVE_INFINITY });
      if (held !== undefined && held !== 0n && held !== seen.revision) {
        Object.assign(seen, { revision: held, at: proc.mono(kernel.now) });
      }
      const isFree = held === 0n;
      const first = firstEpoch(kernel.now + proc.wallOffsetMs);
      const put = isFree
        ? yield* broker.call(proc, () => broker.takeLease(holder, first))
        : undefined;
      if (put !== undefined && put !== "conflict") {
        this.#renewedAt = sentAt;
        const now = proc.mono(kernel.now);
        this.#lead(put, holder, Math.min(seen.at + limits.leaderGrantsMs, now));
        return;
      }
      yield* kernel.sleep(proc, limits.leaderRetryMs);
    }
  }

  #lead(epoch: bigint, holder: string, quietSince: number): void {
    const { kernel, oracle } = this.#world;
    this.#revision = epoch;
    oracle.newTerm(epoch);
    const onEnd = (): void => {
      if (this.term !== term) return;
      this.term = undefined;
      if (this.proc.isUp) kernel.spawn(this.proc, this.#standBy(1));
    };
    const term = new LeaderModel(this.#world, this.proc, {
      epoch,
      onEnd,
      ears: this.#ears,
      grantsUntil: () => this.#renewedAt + limits.leaderGrantsMs,
      quietSince,
    });
    this.term = term;
    term.begin();
    kernel.spawn(this.proc, this.#renew(term, holder));
    kernel.spawn(this.proc, this.#watch(term));
  }

  *#renew(term: LeaderModel, holder: string): Routine {
    const { kernel, broker } = this.#world;
    const { proc } = this;
    for (;;) {
      yield* kernel.sleep(proc, limits.leaderRenewMs);
      if (term.isEnded) return;
      const sentAt = proc.mono(kernel.now);
      const expected = this.#revision;
      const put = yield* broker.call(proc, () => broker.putLease(holder, expected));
      if (put === undefined) continue;
      if (put === "conflict") return term.end("another holds the lease");
      this.#revision = put;
      this.#renewedAt = sentAt;
    }
  }

  /** Ends the term on time even while a renewal hangs. */
  *#watch(term: LeaderModel): Routine {
    const { kernel } = this.#world;
    for (;;) {
      const leftMs = this.#renewedAt + limits.leaderLeaseMs - this.proc.mono(kernel.now);
      if (term.isOver) return;
      if (leftMs <= 0) return term.end("not renewed in time");
      yield* kernel.sleep(this.proc, leftMs);
    }
  }
}

/** Mirrors firstEpoch of packages/broker/src/leadership.ts, counted from the start of the run. */
function firstEpoch(wallMs: number): bigint {
  return BigInt(Math.max(1, Math.floor(wallMs / limits.leaderRenewMs)));
}
