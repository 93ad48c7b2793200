/** How many tasks wait for which reason: every queued task of a pool is in exactly one. */
import type { WaitReason } from "@zfarm/contract";
import type { FarmState } from "./farm-state.ts";
import type { PoolEntry } from "./pool-entry.ts";
import { reasonOfLine, reasonOfLot, reasonOfPool } from "./wait-reason.ts";

/** O(projects of the pool, suspected and held lots), however many tasks wait. */
export function countWaiting(state: FarmState, pool: PoolEntry): Map<WaitReason, number> {
  const counts = new Map<WaitReason, number>();
  const add = (reason: WaitReason, tasks: number): void => {
    counts.set(reason, (counts.get(reason) ?? 0) + tasks);
  };
  for (const [reason, tasks] of pool.gated) if (tasks > 0) add(reason, tasks);
  const common = reasonOfPool(state, pool);
  for (const line of pool.line.projects) {
    if (line.waiting > 0) add(common ?? reasonOfLine(state, pool, line), line.waiting);
  }
  if (common === undefined) recountApart(state, pool, add);
  for (const [reason, tasks] of counts) if (tasks === 0) counts.delete(reason);
  return counts;
}

/** Lots that are held or suspected have a reason of their own, not that of their project. */
function recountApart(
  state: FarmState,
  pool: PoolEntry,
  add: (reason: WaitReason, tasks: number) => void,
): void {
  for (const lot of pool.line.apart) {
    const own = reasonOfLot(state, lot);
    const line = reasonOfLine(state, pool, pool.line.lineOf(lot.job.project));
    if (own === line) continue;
    add(line, -lot.size);
    add(own, lot.size);
  }
}
