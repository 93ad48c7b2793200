/**
 * The life of a task as one transition table. The scheduler changes a task's state only through
 * `nextTaskState`, so an impossible change is an error and never a silent one.
 */
export type LiveTaskState = "queued" | "leased";
export type TerminalTaskState = "succeeded" | "failed" | "canceled" | "expired";
export type TaskLifeState = LiveTaskState | TerminalTaskState;

export type TaskLifeEvent =
  | "granted"
  /** The lease ended without an outcome: expired, handed back, or its attempt failed. */
  | "released"
  | TerminalTaskState;

const transitions: Record<LiveTaskState, Partial<Record<TaskLifeEvent, TaskLifeState>>> = {
  queued: {
    granted: "leased",
    // A lease that was lost may still win: the outcome counts, not who held the lease last.
    succeeded: "succeeded",
    failed: "failed",
    canceled: "canceled",
    expired: "expired",
  },
  leased: {
    released: "queued",
    succeeded: "succeeded",
    failed: "failed",
    canceled: "canceled",
    expired: "expired",
  },
};

export const taskLifeStates = [
  "queued",
  "leased",
  "succeeded",
  "failed",
  "canceled",
  "expired",
] as const satisfies readonly TaskLifeState[];

export const taskLifeEvents = [
  "granted",
  "released",
  "succeeded",
  "failed",
  "canceled",
  "expired",
] as const satisfies readonly TaskLifeEvent[];

export function isLive(state: TaskLifeState): state is LiveTaskState {
  return state === "queued" || state === "leased";
}

/** The state after an event, or undefined where the event cannot happen. */
export function nextTaskState(
  state: TaskLifeState,
  event: TaskLifeEvent,
): TaskLifeState | undefined {
  return isLive(state) ? transitions[state][event] : undefined;
}
