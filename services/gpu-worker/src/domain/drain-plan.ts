/** Decides what a stopping worker finishes and what it hands back at once. */
import type { HeldTask } from "./held-tasks.ts";

export interface DrainBounds {
  /** How long the worker may go on. */
  readonly graceMs: number;
  /** How long the last denoise step took; 0 where none was seen yet. */
  readonly stepMs: number;
}

/** Decoding, encoding and uploading, in denoise steps: what is left after the last one. */
const tailSteps = 2;

/**
 * The tasks to hand back now: those the engine has not begun, and those whose steps cannot end
 * in time. Others start on them so much earlier.
 */
export function chooseHandBacks(held: readonly HeldTask[], bounds: DrainBounds): HeldTask[] {
  return held.filter((task) => !canFinish(task, bounds));
}

function canFinish(task: HeldTask, { graceMs, stepMs }: DrainBounds): boolean {
  switch (task.phase) {
    case "loading":
    case "waiting":
      return false;
    case "delivering":
      return true;
    case "rendering":
      return (task.image.steps - task.step + tailSteps) * stepMs <= graceMs;
  }
}
