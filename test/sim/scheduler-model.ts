/**
 * A scheduler process: stands by for the lease of leadership, leads a term, stands by again.
 * Mirrors services/scheduler/src/lead-loop.ts and packages/broker/src/leadership.ts.
 */
import { limits } from "@zfarm/contract";
import { Proc, type Routine } from "./kernel.ts";
import { LeaderModel } from "./leader-model.ts";
import type { World } from "./world.ts";

export class SchedulerModel {
  readonly proc: Proc;
  term: LeaderModel | undefined = undefined;
  readonly #world: World;
  #terms = 0;
  #revision = 0n;
  #heldUntil = 0;

  constructor(world: World, index: number) {
    this.#world = world;
    this.proc = new Proc(`scheduler-${index}`, world.case.seed);
  }

  start(): void {
    this.proc.isUp = true;
    this.#world.kernel.spawn(this.proc, this.#standBy(0));
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
    for (;;) {
      const sentAt = proc.mono(kernel.now);
      const epoch = yield* broker.call(proc, () => broker.putLease(holder, 0n));
      if (epoch !== undefined && epoch !== "conflict") {
        this.#heldUntil = sentAt + limits.leaderLeaseMs;
        this.#lead(epoch, holder);
        return;
      }
      yield* kernel.sleep(proc, limits.leaderRetryMs);
    }
  }

  #lead(epoch: bigint, holder: string): void {
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
      this.#heldUntil = sentAt + limits.leaderLeaseMs;
    }
  }

  /** Ends the term on time even while a renewal hangs. */
  *#watch(term: LeaderModel): Routine {
    const { kernel } = this.#world;
    for (;;) {
      const leftMs = this.#heldUntil - this.proc.mono(kernel.now);
      if (term.isOver) return;
      if (leftMs <= 0) return term.end("not renewed in time");
      yield* kernel.sleep(this.proc, leftMs);
    }
  }
}
