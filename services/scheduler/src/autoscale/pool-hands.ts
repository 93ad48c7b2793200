/**
 * Makes one pool as the brain wants it: more workers at once, fewer by having them finish first.
 * Remembers whom it has given up until they are gone.
 */
import type { WorkerId } from "@zfarm/contract";
import { limits } from "@zfarm/contract";
import type { PoolDecision } from "../domain/autoscale/decision.ts";
import type { FleetMember } from "../domain/autoscale/fleet.ts";
import type { PoolWork } from "../domain/autoscale/pool-work.ts";
import { planScaleIn } from "../domain/autoscale/scale-in.ts";
import type { WorkersRetired } from "../domain/retire-rules.ts";
import type { PoolFleet, PoolScaling } from "./actuator.ts";

/** A pool at one tick. */
export interface PoolTick {
  readonly decision: PoolDecision;
  readonly fleet: PoolFleet;
  readonly work: PoolWork;
  /** Who loses the least goes first; asked only where somebody has to go. */
  readonly rank: () => readonly WorkerId[];
  readonly now: number;
}

export interface PoolOrders {
  /** For the core, at once: before anything else can be granted. */
  readonly retired: WorkersRetired;
  readonly scaling: PoolScaling;
  /** Chosen to go, and still there long after. */
  readonly missed: readonly WorkerId[];
  readonly retiring: number;
}

interface GivenUp {
  readonly since: number;
  /** The target was lowered for it: it goes, whatever is wanted now. */
  isTaken: boolean;
}

export class PoolHands {
  /** Not seen to be gone yet. */
  readonly #leaving = new Map<WorkerId, GivenUp>();
  /** The target that they were given up for. */
  #awaited = Number.POSITIVE_INFINITY;

  /**
   * Those that were given up and are gone now. The core hears of it before the work is measured:
   * for many seconds it would else take their silence for that of workers which are there.
   */
  forgetGone({ pool, members }: PoolFleet): WorkersRetired {
    const here = new Set(members.map(({ worker }) => worker));
    const gone = this.#forget((worker) => !here.has(worker));
    return { kind: "workers-retired", pool, retire: [], recall: [], gone };
  }

  /** What to do now; nothing of it is done here. */
  order({ decision, fleet, work, rank, now }: PoolTick): PoolOrders {
    const { pool, desired, reason } = decision;
    const missed = this.#forgetMissed(fleet, now);
    const underWay = this.#underWay(fleet);
    const spared = this.#spare(desired - (fleet.target - underWay), fleet);
    const base = fleet.target - underWay + spared.length;
    const surplus = base - desired;
    // What was asked for and is not there yet is given up first, and nobody has to go for it.
    const unmade = Math.min(Math.max(0, surplus), Math.max(0, base - this.#staying(fleet)));
    const plan = planScaleIn({
      surplus: surplus - unmade,
      members: fleet.members,
      workers: work.workers,
      ranked: surplus > 0 ? rank() : [],
      leaving: new Set(this.#leaving.keys()),
    });
    const wanted = surplus > 0 ? base - unmade - plan.leave.length : desired;
    const retiring = work.workers.filter((worker) => worker.isRetiring).length;
    return {
      retired: {
        kind: "workers-retired",
        pool,
        retire: plan.retire,
        recall: [...plan.recall, ...missed],
        gone: [],
      },
      scaling: { pool, desired: wanted, target: fleet.target, victims: plan.leave, spared, reason },
      missed,
      retiring: retiring + plan.retire.length - plan.recall.length,
    };
  }

  /** The hands have taken the order. */
  applied({ desired, victims, spared = [] }: PoolScaling, now: number): void {
    for (const worker of spared) this.#leaving.delete(worker);
    this.#awaited += spared.length;
    if (victims.length > 0) this.#awaited = desired;
    for (const worker of victims) this.#leaving.set(worker, { since: now, isTaken: false });
  }

  /** Given up, though the hands have not lowered the target for them yet: KEDA takes its time. */
  #underWay({ target }: PoolFleet): number {
    const leaving = [...this.#leaving.values()];
    if (target <= this.#awaited) for (const each of leaving) each.isTaken = true;
    const counted = leaving.filter(({ isTaken }) => !isTaken).length;
    return Math.min(counted, Math.max(0, target - this.#awaited));
  }

  /**
   * As many of those as are wanted after all, who was given up last first. They are told so once
   * the hands have taken it: until then the old number may still take them.
   */
  #spare(wanted: number, { members }: PoolFleet): WorkerId[] {
    const staying = members.filter(({ phase }) => phase !== "stopping");
    const here = new Set(staying.map(({ worker }) => worker));
    const open = [...this.#leaving].filter(([worker, { isTaken }]) => !isTaken && here.has(worker));
    const newest = open.map(([worker]) => worker).toReversed();
    return newest.slice(0, Math.max(0, wanted));
  }

  /**
   * Still there and not told to stop, though as few are left as were asked for: somebody else was
   * taken, or the target was raised again.
   */
  #forgetMissed({ members, target }: PoolFleet, now: number): WorkerId[] {
    const staying = new Set(
      members.filter(({ phase }) => phase !== "stopping").map(({ worker }) => worker),
    );
    if (staying.size > target) return [];
    const isOld = (since: number): boolean => now - since > limits.autoscaleLeaveMs;
    return this.#forget((worker, since) => staying.has(worker) && isOld(since));
  }

  #staying({ members }: PoolFleet): number {
    const stays = (member: FleetMember): boolean =>
      member.phase !== "stopping" && !this.#leaving.has(member.worker);
    return members.filter(stays).length;
  }

  #forget(isOver: (worker: WorkerId, since: number) => boolean): WorkerId[] {
    const over = [...this.#leaving].filter(([worker, { since }]) => isOver(worker, since));
    for (const [worker] of over) this.#leaving.delete(worker);
    if (this.#leaving.size === 0) this.#awaited = Number.POSITIVE_INFINITY;
    return over.map(([worker]) => worker);
  }
}
