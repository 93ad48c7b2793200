/**
 * Which message of QUEUE a task lives by: its own where it has one, else the bundle that it was
 * stored in. A bundle stays as it is until each of its tasks has ended or has its own message.
 */
import type { QueuedTask } from "@zfarm/contract";
import type { FarmState } from "./farm-state.ts";
import type { RewriteReason } from "./scheduler-effect.ts";
import type { SchedulerEvent, TaskStored } from "./scheduler-event.ts";
import type { TaskEntry } from "./task-entry.ts";

type EventOf<Kind extends SchedulerEvent["kind"]> = Extract<SchedulerEvent, { kind: Kind }>;

/** Another message of a known task: it was rewritten, or its bundle was stored again. */
export function heedMessage(state: FarmState, entry: TaskEntry, event: TaskStored): void {
  const { task, revision, isBundled } = event;
  if (isBundled && !entry.isBundled) {
    state.emit({ kind: "remove-task", reason: "has-own-message", id: entry.id, revision });
    return;
  }
  restOn(state, entry, event);
  takeNewer(entry, task);
}

/** One rewrite of a task at a time: the next one needs the revision that this one gives. */
export function rewriteTask(state: FarmState, entry: TaskEntry, reason: RewriteReason): void {
  const { tried } = entry;
  if (tried.rewrite !== "none") {
    tried.rewrite = "outrun";
    return;
  }
  tried.rewrite = "under-way";
  const { id, message } = entry;
  const revision = entry.isBundled ? 0n : BigInt(entry.revision);
  state.emit({ kind: "rewrite-task", reason, id, task: message, revision });
}

/** A rewrite ended. If the task changed meanwhile its message is rewritten again. */
export function finishRewrite(state: FarmState, event: EventOf<"task-rewritten">): void {
  const { id, revision } = event;
  const entry = state.findTask(id);
  if (entry === undefined) {
    // The task ended while its message was rewritten: the new message goes too.
    if (revision !== undefined) {
      state.emit({ kind: "remove-task", reason: "task-ended", id, revision });
    }
    return;
  }
  const { tried } = entry;
  const wasOutrun = tried.rewrite === "outrun";
  tried.rewrite = "none";
  if (revision !== undefined) restOn(state, entry, { revision, isBundled: false });
  if (wasOutrun) rewriteTask(state, entry, "attempt-spent");
}

/** Gives those that are still in a bundle messages of their own, so that it can go. */
export function leaveBundle(state: FarmState, { ids }: EventOf<"bundle-outlived">): void {
  for (const id of ids) {
    const entry = state.findTask(id);
    const isFree = entry?.isBundled === true && (entry.trial?.rewrite ?? "none") === "none";
    if (isFree) rewriteTask(state, entry, "bundle-outlived");
  }
}

/** The message of another leader may know of more tries than this one; tries never go back. */
export function takeNewer(entry: TaskEntry, task: QueuedTask): void {
  const { attempts, crashes, lastFailure, latents } = task;
  if (latents !== undefined && latents.step > (entry.trial?.latents?.step ?? 0)) {
    entry.tried.latents = latents;
  }
  if (attempts > (entry.trial?.attempts ?? 0)) {
    entry.tried.attempts = attempts;
    entry.tried.lastFailure = lastFailure;
  }
  if (crashes !== undefined && crashes.count > (entry.trial?.crashes.crashes ?? 0)) {
    entry.tried.crashes.restore(crashes);
    entry.tried.lastFailure = lastFailure;
  }
}

/** From now on the task lives by this message and needs the one before no more. */
function restOn(
  state: FarmState,
  entry: TaskEntry,
  message: Pick<TaskStored, "revision" | "isBundled">,
): void {
  const before = entry.revision;
  if (Number(message.revision) <= before) return;
  const reason = entry.isBundled && !message.isBundled ? "has-own-message" : "rewritten";
  entry.revision = Number(message.revision);
  entry.isBundled = message.isBundled;
  state.emit({ kind: "remove-task", reason, id: entry.id, revision: BigInt(before) });
}
