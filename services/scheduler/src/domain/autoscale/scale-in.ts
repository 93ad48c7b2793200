/**
 * Who leaves when a pool gets smaller. A worker that does something is never taken away: it is told
 * to take no more work first, and goes once it holds nothing. When load comes back meanwhile those
 * that were told work on.
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
  const { members, leaving } = wish;
  const here = members.filter(({ phase, worker }) => phase !== "stopping" && !leaving.has(worker));
  const loads = new Map(wish.workers.map((load) => [load.worker, load]));
  const unready = here.filter(({ phase }) => phase !== "ready").toSorted(byUselessness);
  const firstGone = unready.filter(({ worker }) => (loads.get(worker)?.workLeftMs ?? 0) === 0);
  const surplus = Math.max(0, wish.surplus);
  const leave = firstGone.slice(0, surplus).map(({ worker }) => worker);
  const chosen = chooseReady(wish, here, surplus - leave.length);
  const retiring = here.filter(({ worker }) => loads.get(worker)?.isRetiring === true);
  const going = new Set([...leave, ...chosen]);
  for (const worker of chosen) if (loads.get(worker)?.workLeftMs === 0) leave.push(worker);
  return {
    retire: [...going].filter((worker) => loads.get(worker)?.isRetiring !== true),
    recall: retiring.filter(({ worker }) => !going.has(worker)).map(({ worker }) => worker),
    leave,
  };
}

/** Ready ones, in the order of what they lose; those nobody has heard of are not known idle. */
function chooseReady(wish: ScaleInWish, here: readonly FleetMember[], count: number): WorkerId[] {
  const ready = new Set(here.filter(({ phase }) => phase === "ready").map(({ worker }) => worker));
  const known = wish.ranked.filter((worker) => ready.has(worker));
  return known.slice(0, Math.max(0, count));
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
