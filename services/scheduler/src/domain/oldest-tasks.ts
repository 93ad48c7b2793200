/** How long the oldest tasks have waited, among those that a worker could be given now. */
import type { PriorityClass } from "@zfarm/contract";
import type { FarmState } from "./farm-state.ts";
import { priorityOf } from "./job-entry.ts";
import type { PoolEntry } from "./pool-entry.ts";

/**
 * Milliseconds since its acceptance, for each class that waits. O(lanes): a lane's first lot is its
 * oldest, but where deadlines order it.
 */
export function oldestWaiting(state: FarmState, pool: PoolEntry): Map<PriorityClass, number> {
  const oldest = new Map<PriorityClass, number>();
  for (const line of pool.line.projects) {
    for (const { first: lot } of line.lanes()) {
      const acceptedMs = lot?.template.createTime?.getTime();
      if (lot === undefined || acceptedMs === undefined) continue;
      const { priorityClass } = priorityOf(lot);
      const waitedMs = Math.max(0, state.now - acceptedMs);
      oldest.set(priorityClass, Math.max(waitedMs, oldest.get(priorityClass) ?? 0));
    }
  }
  return oldest;
}
