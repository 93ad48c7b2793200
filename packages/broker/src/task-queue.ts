/** The live tasks: those that were stored together in one message, the others in their own. */
import {
  type PoolId,
  QueuedTask,
  shardOf,
  subjects,
  TaskBundle,
  type TaskId,
  type TaskSpec,
  taskIdOf,
} from "@zfarm/contract";
import { invariant } from "@zfarm/runtime";
import type { Followed, Revision, StoredTask, TaskQueue } from "./broker.ts";
import { decodeStored, encode } from "./codec.ts";
import { mapFollowed } from "./map-followed.ts";
import type { LogMessage, SubjectLog } from "./ports.ts";
import type { ShardView } from "./shard-view.ts";

export class LogTaskQueue implements TaskQueue {
  readonly #log: SubjectLog;
  readonly #view: ShardView;
  readonly #bundleTasksMax: number;

  constructor(
    log: SubjectLog,
    { view, bundleTasksMax }: { readonly view: ShardView; readonly bundleTasksMax: number },
  ) {
    this.#log = log;
    this.#view = view;
    this.#bundleTasksMax = bundleTasksMax;
  }

  bundlesOf(specs: readonly TaskSpec[]): readonly TaskSpec[][] {
    return [...Map.groupBy(specs, ({ index }) => this.#firstOf(index)).values()];
  }

  async addBundle(specs: readonly TaskSpec[]): Promise<Revision | "exists"> {
    const [first] = specs;
    invariant(first !== undefined, "a bundle has tasks");
    if (specs.length === 1) return await this.#create({ spec: first, attempts: 0 });
    const subject = this.#bundleSubject(first.pool as PoolId, taskIdOf(first));
    const bytes = encode(TaskBundle, bundleOf(specs, first));
    return await this.#putNew(subject, bytes);
  }

  async add(task: QueuedTask): Promise<"added" | "exists"> {
    return (await this.#create(task)) === "exists" ? "exists" : "added";
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
    const own = await this.#log.last(this.#subject(pool, id));
    if (own !== undefined) return storedTasks(own)[0];
    const bundle = await this.#log.last(this.#bundleSubject(pool, id));
    if (bundle === undefined) return undefined;
    return storedTasks(bundle).find(({ task }) => task.spec?.index === id.index);
  }

  follow(stop: AbortSignal): AsyncIterable<Followed<StoredTask>> {
    const { only } = this.#view;
    const filter = only === undefined ? subjects.queueAll : subjects.queueOfShard(only);
    return mapFollowed(this.#log.follow({ filter, after: 0n, stop }), storedTasks);
  }

  #create(task: QueuedTask): Promise<Revision | "exists"> {
    return this.#putNew(this.#subjectOf(task), encode(QueuedTask, task));
  }

  async #putNew(subject: string, bytes: Uint8Array): Promise<Revision | "exists"> {
    const put = await this.#log.put({ subject, bytes, expected: 0n });
    return put.kind === "stored" ? put.revision : "exists";
  }

  #subjectOf(task: QueuedTask): string {
    invariant(task.spec !== undefined, "a queued task has a spec");
    return this.#subject(task.spec.pool as PoolId, taskIdOf(task.spec));
  }

  #subject(pool: PoolId, id: TaskId): string {
    return subjects.queue(shardOf(id.project, this.#view.shards), pool, id);
  }

  #bundleSubject(pool: PoolId, id: TaskId): string {
    const first = { ...id, index: this.#firstOf(id.index) };
    return subjects.queueBundle(shardOf(id.project, this.#view.shards), pool, first);
  }

  #firstOf(index: number): number {
    return index - (index % this.#bundleTasksMax);
  }
}

/** What differs between the tasks is told of each, the rest once. */
function bundleOf(specs: readonly TaskSpec[], first: TaskSpec): TaskBundle {
  return {
    common: { ...first, index: 0, image: undefined, stack: undefined },
    tasks: specs.map(({ index, image, stack }) => ({ index, image, stack })),
  };
}

function storedTasks(message: LogMessage): StoredTask[] {
  const { revision, subject } = message;
  if (!subjects.isQueueBundle(subject)) {
    return [{ task: decodeStored(QueuedTask, message), revision, isBundled: false }];
  }
  const { common, tasks } = decodeStored(TaskBundle, message);
  return tasks.map((task) => ({
    task: { spec: common && { ...common, ...task }, attempts: 0 },
    revision,
    isBundled: true,
  }));
}
