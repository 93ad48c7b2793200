/** Decides which waiting tasks join the denoise batch. Pure. */
import type { RenderTask } from "./protocol.ts";

export interface Batchable {
  readonly task: RenderTask;
  /** Set after a failed batch: this one runs by itself, so that it fails by itself. */
  readonly alone: boolean;
}

/**
 * How many from the head of `waiting` may join `active` now. Only the head may join: a task of
 * another shape at the head holds back those behind it, so that nothing that joins a running
 * batch can keep it waiting for ever.
 */
export function countJoiners(
  waiting: readonly Batchable[],
  active: readonly Batchable[],
  batchMax: number,
): number {
  let batch = [...active];
  let count = 0;
  for (const next of waiting) {
    if (batch.length >= batchMax || !canShare(batch, next)) break;
    batch = [...batch, next];
    count += 1;
  }
  return count;
}

function canShare(batch: readonly Batchable[], next: Batchable): boolean {
  const first = batch[0];
  if (first === undefined) return true;
  return !first.alone && !next.alone && hasSameShape(first.task, next.task);
}

function hasSameShape(one: RenderTask, other: RenderTask): boolean {
  return one.width === other.width && one.height === other.height && one.steps === other.steps;
}
