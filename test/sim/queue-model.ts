/**
 * QUEUE as the broker keeps it: fresh tasks of a job in bundles, tasks that were tried in messages
 * of their own. Mirrors packages/broker/src/task-queue.ts, with smaller bundles, so that a
 * simulated job has several.
 */
import { type QueuedTask, taskIdOf, taskKey } from "@zfarm/contract";
import type { Kernel, Proc } from "./kernel.ts";
import { LogModel, type Stored } from "./log-model.ts";

export type QueueMessage = readonly QueuedTask[];

/** A task as it is read from the log, by its own key. */
export interface QueuedEntry {
  readonly key: string;
  readonly task: QueuedTask;
  readonly revision: bigint;
  readonly isBundled: boolean;
}

export class QueueModel extends LogModel<QueueMessage> {
  readonly #bundleMax: number;

  constructor(kernel: Kernel, delayTo: (proc: Proc) => number | undefined, bundleMax: number) {
    super(kernel, delayTo);
    this.#bundleMax = bundleMax;
  }

  bundlesOf(tasks: readonly QueuedTask[]): QueuedTask[][] {
    const firstOf = ({ spec }: QueuedTask): number =>
      Math.floor((spec?.index ?? 0) / this.#bundleMax);
    return [...Map.groupBy(tasks, firstOf).values()];
  }

  /** Of a message with these tasks. */
  keyOf(tasks: QueueMessage): string {
    const [first] = tasks;
    if (first === undefined) return "";
    return tasks.length === 1 ? keyOfTask(first) : this.#bundleKey(keyOfTask(first));
  }

  /** In its own message, else in its bundle. */
  find(key: string): QueuedEntry | undefined {
    const own = this.get(key);
    const message = own ?? this.get(this.#bundleKey(key));
    return message && entriesOf(message).find((entry) => entry.key === key);
  }

  #bundleKey(key: string): string {
    const at = key.lastIndexOf(".") + 1;
    const index = Number(key.slice(at));
    return `${key.slice(0, at)}b${index - (index % this.#bundleMax)}`;
  }
}

export function entriesOf({ key, value, revision }: Stored<QueueMessage>): QueuedEntry[] {
  const isBundled = key.charAt(key.lastIndexOf(".") + 1) === "b";
  return value.map((task) => ({ key: keyOfTask(task), task, revision, isBundled }));
}

export function keyOfTask({ spec }: QueuedTask): string {
  return spec === undefined ? "" : taskKey(taskIdOf(spec));
}
