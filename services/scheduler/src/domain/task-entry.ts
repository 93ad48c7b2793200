/**
 * A live task as the leader holds it. A million of them may wait, so it carries only what differs
 * from its siblings: the rest is in its lot, and what tries leave behind is in its trial.
 */
import {
  FarmError,
  type ImageSpec,
  nextTaskState,
  type QueuedTask,
  type TaskId,
  type TaskKey,
  type TaskLifeEvent,
  type TaskLifeState,
  type TaskSpec,
  taskKey,
} from "@zfarm/contract";
import type { JobEntry } from "./job-entry.ts";
import type { Lot } from "./lot.ts";
import { Trial } from "./trial.ts";

const noLoras: ImageSpec["loras"] = [];

export class TaskEntry {
  readonly index: number;
  readonly image: ImageSpec | undefined;
  /** The tasks it waits among, or would. */
  lot: Lot;
  /** Of its message in QUEUE; a number, since a bigint would cost every waiting task an object. */
  revision: number;
  /** Whether that message is a bundle, which stays as it is. */
  isBundled: boolean;
  state: TaskLifeState = "queued";
  /** Whole milliseconds since the term began: a fraction would cost every task an object. */
  waitingSince = 0;
  /** Neighbours in the lot while it waits there. */
  previous: TaskEntry | undefined = undefined;
  next: TaskEntry | undefined = undefined;
  trial: Trial | undefined = undefined;

  constructor(lot: Lot, task: Pick<TaskEntry, "index" | "image" | "revision" | "isBundled">) {
    this.lot = lot;
    this.index = task.index;
    this.image = withSharedNothing(task.image);
    this.revision = task.revision;
    this.isBundled = task.isBundled;
  }

  get job(): JobEntry {
    return this.lot.job;
  }

  get id(): TaskId {
    const { project, job } = this.job.ref;
    return { project, job, index: this.index };
  }

  get key(): TaskKey {
    return taskKey(this.id);
  }

  get spec(): TaskSpec {
    return { ...this.lot.template, index: this.index, image: this.image };
  }

  /** What QUEUE holds of it, or should. */
  get message(): QueuedTask {
    const { attempts = 0, crashes, lastFailure, latents } = this.trial ?? {};
    return { spec: this.spec, attempts, crashes: crashes?.record, lastFailure, latents };
  }

  /** What is known of its tries; begins with the first. */
  get tried(): Trial {
    this.trial ??= new Trial(this);
    return this.trial;
  }

  /** The only way to change the state; an impossible change is a bug and stops the leader. */
  move(event: TaskLifeEvent): void {
    const next = nextTaskState(this.state, event);
    if (next === undefined) {
      throw new FarmError("INTERNAL", `task ${this.key} is ${this.state} and cannot be ${event}`);
    }
    this.state = next;
  }
}

/** Most pictures have no adapters, and an empty list of its own is a tenth of a task. */
function withSharedNothing(image: ImageSpec | undefined): ImageSpec | undefined {
  if (image === undefined || image.loras.length > 0) return image;
  return { ...image, loras: noLoras };
}
