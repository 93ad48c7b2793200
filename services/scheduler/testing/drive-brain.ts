/** Drives the autoscaler's brain with short calls: what a test sets matters. */
import type { PoolId, WorkerId } from "@zfarm/contract";
import { Autoscaler } from "../src/domain/autoscale/autoscaler.ts";
import type { PoolDecision } from "../src/domain/autoscale/decision.ts";
import type { FleetMember } from "../src/domain/autoscale/fleet.ts";
import { defaultGoals, type PoolGoals } from "../src/domain/autoscale/pool-goals.ts";
import {
  noSums,
  type PoolWork,
  type ScalingWish,
  type WorkClass,
  type WorkerLoad,
} from "../src/domain/autoscale/pool-work.ts";

export interface BrainTick {
  /** Device seconds that wait; the class is standard unless said otherwise. */
  readonly waiting?: Partial<Record<WorkClass, number>>;
  /** Device seconds that came since the last tick, as tasks of one second. */
  readonly came?: number;
  readonly running?: number;
  readonly wish?: ScalingWish;
  readonly aside?: number;
  /** Absent: the workers cannot be seen. */
  readonly isSeen?: boolean;
  readonly phases?: Partial<Record<FleetMember["phase"], number>>;
}

/** One pool whose workers are made, and are ready, as soon as they are asked for. */
export class BrainDriver {
  readonly goals: PoolGoals;
  readonly brain: Autoscaler;
  now = 1_700_000_000_000;
  target: number;
  readonly #arrived = noSums();
  readonly #tickMs = 5_000;

  constructor(goals: Partial<PoolGoals> = {}, target = 0) {
    this.goals = { ...defaultGoals, warm: 0, max: 100, ...goals };
    this.target = target;
    this.brain = new Autoscaler({ tickMs: this.#tickMs });
  }

  /** One tick; the pool then has what was decided. */
  tick(told: BrainTick = {}): PoolDecision {
    const decision = this.look(told);
    this.target = decision.desired;
    return decision;
  }

  /** One tick after which nothing is done. */
  look(told: BrainTick = {}): PoolDecision {
    this.now += this.#tickMs;
    const pool = "default" as PoolId;
    const members = this.#members(told);
    const fleet = told.isSeen === false ? undefined : { pool, target: this.target, members };
    const work = this.#work(told, members);
    const [decision] = this.brain.plan([{ goals: this.goals, work, fleet }], this.now);
    if (decision === undefined) throw new RangeError("no decision for the pool");
    return decision;
  }

  ticks(count: number, told: BrainTick = {}): PoolDecision[] {
    return Array.from({ length: count }, () => this.tick(told));
  }

  #members({ phases = {} }: BrainTick): FleetMember[] {
    const named = Object.entries(phases).flatMap(([phase, count]) =>
      Array.from({ length: count }, () => phase as FleetMember["phase"]),
    );
    return Array.from({ length: this.target }, (_, place) => {
      const phase = named[place] ?? "ready";
      const worker = `w${place}` as WorkerId;
      return { worker, phase, createdAt: this.now - 1_000 };
    });
  }

  #work(told: BrainTick, members: readonly FleetMember[]): PoolWork {
    const waiting = noSums();
    for (const [each, seconds] of Object.entries(told.waiting ?? {})) {
      waiting[each as WorkClass] = { tasks: Math.ceil(seconds), ms: seconds * 1_000 };
    }
    this.#arrived.standard.tasks += told.came ?? 0;
    this.#arrived.standard.ms += (told.came ?? 0) * 1_000;
    const ready = members.filter(({ phase }) => phase === "ready");
    const workers = ready.map(
      ({ worker }, place): WorkerLoad => ({
        worker,
        workLeftMs: 0,
        condition: place < (told.aside ?? 0) ? "aside" : "serving",
        isRetiring: false,
      }),
    );
    return {
      pool: "default" as PoolId,
      waiting,
      arrived: structuredClone(this.#arrived),
      running: told.running ?? 0,
      workers,
      wish: told.wish ?? {},
    };
  }
}
