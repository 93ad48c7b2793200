/**
 * Who leaves when a pool gets smaller. A worker that does something is never taken away: it is told
 * to take no more work first, and goes once it holds nothing. When load comes back meanwhile those
 * that were told work on.
 *
 * A ReplicaSet takes pods that are not ready before any mark counts, and a worker may be at work a
 * little before its pod is called ready, or be ready by the time the ReplicaSet looks. So while a
 * pool shrinks none of those gets anything, and nobody leaves before they hold nothing.
 */
import type { WorkerId } from "@zfarm/contract";
import type { FleetMember } from "./fleet.ts";
import type { WorkerLoad } from "./pool-work.ts";

export interface ScaleInWish {
  /** Workers more than wanted; 0 or less: none. */
  readonly surplus: number;
  readonly members: readonly FleetMember[];
  readonly workers: readonly WorkerLoad[];
  /** Who loses the least, first. */
  readonly ranked: readonly WorkerId[];
  /** Those that were given up already, and that the hands may still be taking away. */
  readonly leaving: ReadonlySet<WorkerId>;
}

export interface ScaleInPlan {
  /** To be told to take no more work, those that leave now among them. */
  readonly retire: readonly WorkerId[];
  /** To be told to work on. */
  readonly recall: readonly WorkerId[];
  /** Hold nothing and get nothing from now on: they may be taken away. */
  readonly leave: readonly WorkerId[];
}

export function planScaleIn(wish: ScaleInWish): ScaleInPlan {
  const { members, leaving, surplus } = wish;
  const here = members.filter(({ phase, worker }) => phase !== "stopping" && !leaving.has(worker));
  const loads = new Map(wish.workers.map((load) => [load.worker, load]));
  const isIdle = (worker: WorkerId): boolean => (loads.get(worker)?.workLeftMs ?? 0) === 0;
  const isTold = (worker: WorkerId): boolean => loads.get(worker)?.isRetiring === true;
  const unready = surplus > 0 ? namesOf(here.filter(({ phase }) => phase !== "ready")) : [];
  const useless = unready.filter(isIdle);
  const first = [...useless, ...unready.filter((worker) => !isIdle(worker))];
  const going = [...first, ...readyInOrder(wish, here)].slice(0, Math.max(0, surplus));
  const stopped = new Set([...first, ...going]);
  return {
    retire: [...stopped].filter((worker) => !isTold(worker)),
    recall: namesOf(here).filter((worker) => isTold(worker) && !stopped.has(worker)),
    leave: useless.length === unready.length ? going.filter(isIdle) : [],
  };
}

/** In the order of what they lose; those that nobody has heard of are not known to be idle. */
function readyInOrder({ ranked }: ScaleInWish, here: readonly FleetMember[]): WorkerId[] {
  const ready = new Set(namesOf(here.filter(({ phase }) => phase === "ready")));
  return ranked.filter((worker) => ready.has(worker));
}

/** The least useful first. */
function namesOf(members: readonly FleetMember[]): WorkerId[] {
  return members.toSorted(byUselessness).map(({ worker }) => worker);
}

const uselessness: Readonly<Record<FleetMember["phase"], number>> = {
  unschedulable: 0,
  crashing: 1,
  starting: 2,
  ready: 3,
  stopping: 4,
};

/** Nothing is lost with what never started; of those that start the youngest goes first. */
function byUselessness(one: FleetMember, other: FleetMember): number {
  const order = uselessness[one.phase] - uselessness[other.phase];
  return order || other.createdAt - one.createdAt;
}
