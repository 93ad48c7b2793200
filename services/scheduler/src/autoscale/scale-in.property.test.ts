/** The real core and the real hands of a pool, against a cluster that takes its time. */
import { defaultPool, type Lease, type WorkerId } from "@zfarm/contract";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { buildTasks, CoreDriver, only } from "../../testing/drive-core.ts";
import type { PoolDecision } from "../domain/autoscale/decision.ts";
import type { SchedulerEffect } from "../domain/scheduler-effect.ts";
import { PoolHands } from "./pool-hands.ts";

type Move =
  | { readonly kind: "store"; readonly tasks: number }
  | { readonly kind: "ask" | "finish"; readonly worker: number }
  | { readonly kind: "tick"; readonly desired: number; readonly takesEffect: boolean }
  /** Hands that only say what they want are heard. */
  | { readonly kind: "scale" }
  /** The cluster takes away whom it was told to. */
  | { readonly kind: "delete" };

const most = 6;

class ShrinkingFarm {
  readonly core = CoreDriver.leading();
  readonly #hands = new PoolHands();
  readonly #held = new Map<WorkerId, Lease[]>();
  readonly #actAtOnce: boolean;
  readonly #marked = new Set<WorkerId>();
  #condemned: WorkerId[] = [];
  #asked = most;
  #target = most;
  #stored = 0;
  removed = 0;
  spared = 0;

  constructor(options: { readonly actAtOnce: boolean }) {
    this.#actAtOnce = options.actAtOnce;
    for (let place = 0; place < most; place += 1) this.#add(`w${place}` as WorkerId);
  }

  play(move: Move): void {
    switch (move.kind) {
      case "store":
        return this.#take(this.core.store(...buildTasks(move.tasks, {}, this.#next(move.tasks))));
      case "ask":
        return this.#ask(move.worker);
      case "finish":
        return this.#finish(move.worker);
      case "tick":
        return this.#tick(move.desired, move.takesEffect);
      case "scale":
        return this.#scale();
      case "delete":
        return this.#delete();
    }
  }

  #ask(place: number): void {
    const worker = [...this.#held.keys()][place];
    if (worker === undefined) return;
    this.#take(this.core.ask(worker, { slots: 2 }));
  }

  /** Requests are held, so any step may answer any worker. */
  #take(effects: readonly SchedulerEffect[]): void {
    for (const { worker, leases } of only(effects, "grant")) {
      this.#held.get(worker)?.push(...leases);
    }
  }

  #finish(place: number): void {
    const [worker, leases] = [...this.#held][place] ?? [];
    const lease = leases?.pop();
    if (worker !== undefined && lease !== undefined) this.#take(this.core.finish(worker, lease, 5));
  }

  #tick(desired: number, takesEffect: boolean): void {
    const members = [...this.#held.keys()].map((worker) => ({
      worker,
      phase: "ready" as const,
      createdAt: 0,
    }));
    const fleet = { pool: defaultPool, target: this.#target, members };
    this.#take(this.core.step(this.#hands.forgetGone(fleet)));
    const { retired, scaling } = this.#hands.order({
      decision: { pool: defaultPool, desired, reason: "arrivals" } as PoolDecision,
      fleet,
      work: this.core.scheduler.measureWork(defaultPool),
      rank: () =>
        this.core.scheduler.rankVictims(defaultPool, most).map(({ candidate }) => candidate.id),
      now: this.core.now,
    });
    this.#take(this.core.step(retired));
    // A conflict: somebody else changed the target, and nothing was done.
    if (!takesEffect) return;
    this.#hands.applied(scaling, this.core.now);
    this.#asked = scaling.desired;
    for (const worker of scaling.victims) this.#marked.add(worker);
    for (const worker of scaling.spared ?? []) this.#marked.delete(worker);
    this.spared += scaling.spared?.length ?? 0;
    if (this.#actAtOnce) this.#scale();
  }

  /** The number is changed; marked workers go first, and there are enough of those. */
  #scale(): void {
    this.#target = this.#asked;
    const live = this.#held.size - this.#condemned.length;
    const excess = Math.max(0, live - this.#target);
    const gone = [...this.#marked].slice(0, excess);
    expect(gone.length, "nobody goes who is not marked").toBe(excess);
    for (const worker of gone) this.#marked.delete(worker);
    this.#condemned.push(...gone);
    while (this.#held.size - this.#condemned.length < this.#target) {
      this.#add(`x${this.#next()}` as WorkerId);
    }
  }

  #delete(): void {
    for (const worker of this.#condemned) {
      expect(this.#held.get(worker), `${worker} holds nothing when it goes`).toEqual([]);
      this.#held.delete(worker);
      this.removed += 1;
    }
    this.#condemned = [];
  }

  #add(worker: WorkerId): void {
    this.#held.set(worker, []);
    this.core.beat(worker, []);
  }

  #next(count = 1): number {
    this.#stored += count;
    return this.#stored - count;
  }
}

describe("taking workers away", () => {
  test.each([
    { hands: "that act at once", actAtOnce: true },
    { hands: "that only say what they want", actAtOnce: false },
  ])("never takes one that holds a task: hands $hands", ({ actAtOnce }) => {
    const worker = fc.nat(most - 1);
    const move: fc.Arbitrary<Move> = fc.oneof(
      fc.record({ kind: fc.constant("store" as const), tasks: fc.nat(4) }),
      fc.record({ kind: fc.constantFrom("ask" as const, "finish" as const), worker }),
      fc.record({ kind: fc.constantFrom("ask" as const, "finish" as const), worker }),
      fc.record({
        kind: fc.constant("tick" as const),
        desired: fc.nat(most),
        takesEffect: fc.boolean(),
      }),
      fc.record({ kind: fc.constantFrom("scale" as const, "delete" as const) }),
    );
    let [removed, spared] = [0, 0];
    fc.assert(
      fc.property(fc.array(move, { minLength: 30, maxLength: 120, size: "max" }), (moves) => {
        const farm = new ShrinkingFarm({ actAtOnce });
        for (const each of moves) farm.play(each);
        farm.play({ kind: "scale" });
        farm.play({ kind: "delete" });
        removed += farm.removed;
        spared += farm.spared;
      }),
      { numRuns: 2_000 },
    );
    expect(removed).toBeGreaterThan(5_000);
    expect(spared > 0).toBe(!actAtOnce);
  });
});
