/** What keeps a lot's tasks from running: the one binding reason. */
import { WaitReason } from "@zfarm/contract";
import type { FarmState } from "./farm-state.ts";
import type { Lot } from "./lot.ts";
import type { PoolEntry } from "./pool-entry.ts";
import type { ProjectLine } from "./project-line.ts";
import { asideUntil, isHeldBack } from "./serving.ts";
import type { TaskEntry } from "./task-entry.ts";

/** Of a task that is queued. */
export function reasonOfTask(state: FarmState, entry: TaskEntry): WaitReason {
  if (entry.trial?.aside === "delayed") return WaitReason.BACK_OFF;
  if (entry.trial?.aside === "ending") return WaitReason.ENDING;
  return reasonOfLot(state, entry.lot);
}

export function reasonOfLot(state: FarmState, lot: Lot): WaitReason {
  if (lot.gate !== WaitReason.NEXT) return lot.gate;
  const { pool, project } = lot.job;
  const common = reasonOfPool(state, pool);
  if (common !== undefined) return common;
  if (lot.kind === "suspected") return WaitReason.SUSPECTED;
  if (lot.holdUntil > state.now) return lot.holdReason;
  return reasonOfLine(state, pool, pool.line.lineOf(project));
}

/** What holds the whole pool; undefined where something runs there. */
export function reasonOfPool(state: FarmState, pool: PoolEntry): WaitReason | undefined {
  if (!state.mayGrant) return WaitReason.LEADER_CHANGE;
  if (pool.policy?.draining === true) return WaitReason.DRAINING;
  if (pool.workers.size === 0) return WaitReason.NO_WORKERS;
  let isQuarantined = false;
  for (const worker of pool.workers) {
    if (isHeldBack(worker)) continue;
    if (asideUntil(state, worker) === undefined) return undefined;
    isQuarantined = true;
  }
  return isQuarantined ? WaitReason.QUARANTINED : WaitReason.DRAINING;
}

function isHolding({ holdTimer, kept }: PoolEntry): boolean {
  return holdTimer.slot >= 0 || kept !== undefined;
}

/** What holds a project's tasks that stand in the line of a pool where something runs. */
export function reasonOfLine(
  state: FarmState,
  pool: PoolEntry,
  { project, turn, waiting }: ProjectLine,
): WaitReason {
  if (waiting > 0 && project.running >= project.burst) {
    return project.isIsolated ? WaitReason.SUSPECTED : WaitReason.PROJECT_LIMIT;
  }
  // Whoever asks and gets nothing is held for another task, or can take none of those that wait.
  if (pool.asks.size > 0) return isHolding(pool) ? WaitReason.NEXT : WaitReason.CAPACITY;
  // Ahead by more than a task: tasks of other projects come first although these came before.
  const first = pool.line.nextPass ?? turn.pass;
  const taskMs = state.costs.typical(pool.id) / project.weight;
  return turn.pass - first > taskMs ? WaitReason.FAIR_SHARE : WaitReason.CAPACITY;
}
