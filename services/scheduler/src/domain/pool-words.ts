/** Why the workers of a pool do not start a task, in words: who is in the way, and what ends it. */
import type { Explanation } from "@zfarm/contract";
import { fits, rankOf } from "./choose-grant.ts";
import type { FarmState } from "./farm-state.ts";
import type { Lot } from "./lot.ts";
import type { PoolEntry } from "./pool-entry.ts";
import { asideUntil, drains, isHeldBack, isLocked } from "./serving.ts";
import type { WorkerEntry } from "./worker-entry.ts";

export type Words = Pick<Explanation, "detail" | "release">;

/** Workers that are named; of many one knows where to look. */
const namedMax = 3;

export function describeCapacity(state: FarmState, pool: PoolEntry, lot: Lot): Words {
  const workers = [...pool.workers];
  const needs = `${lot.adapters.length} adapters of rank ${rankOf(lot)}`;
  if (!workers.some((worker) => fits(lot, worker))) {
    const most = Math.max(...workers.map(({ shelf, rankBudget }) => (shelf ? rankBudget : 0)));
    return {
      detail: `no worker of pool ${pool.id} takes ${needs}: the most is ${most}`,
      release: "a worker with more ranks",
    };
  }
  if (pool.asks.size > 0) return describeAskers(pool, lot, needs);
  const running = workers.filter((worker) => worker.leases.size > 0).length;
  const seconds = Math.ceil((pool.line.size * state.costs.typical(pool.id)) / 1_000);
  const work = `${pool.line.size} tasks, about ${seconds} GPU-seconds, wait in pool ${pool.id}`;
  return {
    detail: `${running} of ${workers.length} workers are busy; ${work}`,
    release: "tasks before it end, a higher priority, or more workers",
  };
}

/** Somebody has room, and not for this one. */
function describeAskers({ asks }: PoolEntry, lot: Lot, needs: string): Words {
  if (lot.adapters.length === 0) {
    return {
      detail: `${asks.size} workers have room, and run a task that must be alone`,
      release: "that task ends, or another worker is free",
    };
  }
  return {
    detail: `${asks.size} workers ask and none can take it beside what it runs: ${needs}`,
    release: "a worker with more ranks, or one that is idle",
  };
}

export function describeDrain(pool: PoolEntry): Words {
  if (pool.policy?.draining === true) {
    return { detail: `pool ${pool.id} is draining`, release: `Resume of pools/${pool.id}` };
  }
  return {
    detail: `pool ${pool.id}: ${describeHeldBack(pool)}`,
    release: "Resume or UnlockWorker of one of them, or a new worker",
  };
}

function describeHeldBack({ workers }: PoolEntry): string {
  const locked = [...workers].filter(isLocked);
  const draining = [...workers].filter((worker) => drains(worker) && !isLocked(worker));
  return [count(draining, "drain"), count(locked, "are locked")].filter(Boolean).join(", ");
}

function count(workers: readonly WorkerEntry[], verb: string): string {
  if (workers.length === 0) return "";
  const names: string[] = workers.slice(0, namedMax).map(({ id }) => id);
  if (workers.length > namedMax) names.push("others");
  return `${workers.length} ${verb} (${names.join(", ")})`;
}

/** Names the one that is back first. */
export function describeQuarantine(state: FarmState, pool: PoolEntry): Words {
  const aside = [...pool.workers]
    .filter((worker) => !isHeldBack(worker))
    .map((worker) => ({ worker, until: asideUntil(state, worker) ?? state.now }))
    .toSorted((one, other) => one.until - other.until);
  const [first] = aside;
  const until = first?.until ?? state.now;
  const why = first === undefined ? "" : `, ${first.worker.id} ${causeOf(state, first.worker)}`;
  const rest = describeHeldBack(pool);
  const many = `${aside.length} of ${pool.workers.size} workers of pool ${pool.id}`;
  const end = Number.isFinite(until) ? `, or ${Math.ceil((until - state.now) / 1_000)} s` : "";
  return {
    detail: `${many} are in quarantine${why}${rest === "" ? "" : `; ${rest}`}`,
    release: `ForgiveWorker${end}`,
  };
}

function causeOf(state: FarmState, { id }: WorkerEntry): string {
  const byHand = state.asideByHand.of(id, state.now);
  if (byHand !== undefined) return `by an operator: ${byHand.note}`;
  return `for ${state.health.quarantineOf(id, state.now)?.cause}`;
}
