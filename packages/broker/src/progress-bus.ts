/** News of tasks for whoever watches right now. */
import {
  type JobRef,
  PreviewWish,
  Progress,
  parseJobId,
  parseProjectId,
  subjects,
  taskIdOf,
} from "@zfarm/contract";
import type { Log } from "@zfarm/runtime";
import type { ProgressBus, Unsubscribe } from "./broker.ts";
import { decodePassing, encode } from "./codec.ts";
import type { Messenger } from "./ports.ts";

export class MessengerProgress implements ProgressBus {
  readonly #messenger: Messenger;
  readonly #log: Log;

  constructor(messenger: Messenger, log: Log) {
    this.#messenger = messenger;
    this.#log = log;
  }

  wishPreviews({ project, job }: JobRef): void {
    this.#messenger.publish(subjects.previewWish, encode(PreviewWish, { project, job }));
  }

  onPreviewWish(handle: (job: JobRef) => void): Unsubscribe {
    const subject = subjects.previewWish;
    const { unsubscribe } = this.#messenger.subscribe(subject, ({ bytes }) => {
      const wish = decodePassing(PreviewWish, { subject, bytes }, this.#log);
      const [project, job] = [parseProjectId(wish?.project ?? ""), parseJobId(wish?.job ?? "")];
      if (project !== undefined && job !== undefined) handle({ project, job });
    });
    return unsubscribe;
  }

  publish(progress: Progress): void {
    this.#messenger.publish(subjects.progress(taskIdOf(progress)), encode(Progress, progress));
  }

  async subscribe(job: JobRef, handle: (progress: Progress) => void): Promise<Unsubscribe> {
    const subject = subjects.progressOfJob(job);
    const subscription = this.#messenger.subscribe(subject, ({ bytes }) => {
      const progress = decodePassing(Progress, { subject, bytes }, this.#log);
      if (progress !== undefined) handle(progress);
    });
    try {
      await subscription.inForce();
    } catch (error) {
      subscription.unsubscribe();
      throw error;
    }
    return subscription.unsubscribe;
  }
}
