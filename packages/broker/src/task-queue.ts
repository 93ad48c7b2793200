/** The live tasks: one message each, under the task's own subject. */
import { type PoolId, QueuedTask, shardOf, subjects, type TaskId, taskIdOf } from "@zfarm/contract";
import { invariant } from "@zfarm/runtime";
import type { Followed, Revision, StoredTask, TaskQueue } from "./broker.ts";
import { decodeStored, encode } from "./codec.ts";
import { mapFollowed } from "./map-followed.ts";
import type { LogMessage, SubjectLog } from "./ports.ts";
import type { ShardView } from "./shard-view.ts";

export class LogTaskQueue implements TaskQueue {
  readonly #log: SubjectLog;
  readonly #view: ShardView;

  constructor(log: SubjectLog, view: ShardView) {
    this.#log = log;
    this.#view = view;
  }

  async add(task: QueuedTask): Promise<"added" | "exists"> {
    const bytes = encode(QueuedTask, task);
    const put = await this.#log.put({ subject: this.#subjectOf(task), bytes, expected: 0n });
    return put.kind === "stored" ? "added" : "exists";
  }

  async rewrite(task: QueuedTask, revision: Revision): Promise<Revision | "conflict"> {
    const bytes = encode(QueuedTask, task);
    const put = await this.#log.put({ subject: this.#subjectOf(task), bytes, expected: revision });
    return put.kind === "stored" ? put.revision : "conflict";
  }

  remove(revision: Revision): Promise<void> {
    return this.#log.remove(revision);
  }

  removeBefore(revision: Revision): Promise<void> {
    const { only } = this.#view;
    // What other shards' leaders look after is theirs.
    return only === undefined
      ? this.#log.removeBefore(revision)
      : this.#log.removeBefore(revision, subjects.queueOfShard(only));
  }

  async find(pool: PoolId, id: TaskId): Promise<StoredTask | undefined> {
    const message = await this.#log.last(this.#subject(pool, id));
    return message === undefined ? undefined : storedTask(message);
  }

  follow(stop: AbortSignal): AsyncIterable<Followed<StoredTask>> {
    const { only } = this.#view;
    const filter = only === undefined ? subjects.queueAll : subjects.queueOfShard(only);
    return mapFollowed(this.#log.follow({ filter, after: 0n, stop }), storedTask);
  }

  #subjectOf(task: QueuedTask): string {
    invariant(task.spec !== undefined, "a queued task has a spec");
    return this.#subject(task.spec.pool as PoolId, taskIdOf(task.spec));
  }

  #subject(pool: PoolId, id: TaskId): string {
    return subjects.queue(shardOf(id.project, this.#view.shards), pool, id);
  }
}

function storedTask(message: LogMessage): StoredTask {
  return { task: decodeStored(QueuedTask, message), revision: message.revision };
}
