/**
 * Puts together what the leaders of several shards say about the fleet. Every leader hears every
 * worker, and knows only the work that it gave out itself.
 */
import {
  type ListWorkersResponse,
  limits,
  type PoolQueue,
  type SchedulerQuery,
  type SchedulerReply,
  type Victim,
  type WorkerReply,
} from "@zfarm/contract";
import { mergeQueues } from "./merge-queues.ts";

/** What each leader is asked: one that names few would leave out whom others find busy. */
export function widenQuery({ query }: SchedulerQuery): SchedulerQuery {
  if (query?.$case !== "victims") return { query };
  return { query: { $case: "victims", value: { ...query.value, count: limits.pageSizeMax } } };
}

/** One answer of all leaders to one question. */
export function mergeReplies(
  { query }: SchedulerQuery,
  replies: readonly SchedulerReply[],
): SchedulerReply {
  const epoch = replies[0]?.epoch ?? 0n;
  switch (query?.$case) {
    case "listWorkers": {
      const value = mergePages(replies.map(workersOf), query.value.pageSize);
      return { epoch, reply: { $case: "listWorkers", value } };
    }
    case "victims": {
      const victims = mergeVictims(replies.map(victimsOf)).slice(0, query.value.count);
      return { epoch, reply: { $case: "victims", value: { victims } } };
    }
    case "worker":
      return { epoch, reply: { $case: "worker", value: mergeLooks(replies.map(lookOf)) } };
    case "queueStats": {
      const pools = mergeQueues(replies.map(queuesOf));
      return { epoch, reply: { $case: "queueStats", value: { pools } } };
    }
    case "scaling":
      // With several shards nothing is scaled, and each leader says so.
      return { epoch, reply: replies[0]?.reply };
    default:
      return { epoch, reply: undefined };
  }
}

function workersOf({ reply }: SchedulerReply): ListWorkersResponse {
  return reply?.$case === "listWorkers" ? reply.value : { workers: [] };
}

function victimsOf({ reply }: SchedulerReply): readonly Victim[] {
  return reply?.$case === "victims" ? reply.value.victims : [];
}

function lookOf({ reply }: SchedulerReply): WorkerReply {
  return reply?.$case === "worker" ? reply.value : { tasks: [], adapters: [] };
}

function queuesOf({ reply }: SchedulerReply): readonly PoolQueue[] {
  return reply?.$case === "queueStats" ? reply.value.pools : [];
}

/** Every leader knows the worker, and of its tasks those that it granted. */
function mergeLooks(looks: readonly WorkerReply[]): WorkerReply {
  const known = looks.find(({ worker }) => worker !== undefined) ?? { adapters: [] };
  return { ...known, tasks: looks.flatMap(({ tasks }) => tasks) };
}

/** Each page holds the first names behind the token, so the first of all of them are a page too. */
function mergePages(
  pages: readonly ListWorkersResponse[],
  pageSize: number | undefined,
): ListWorkersResponse {
  const byName = new Map(pages.flatMap(({ workers }) => workers.map((each) => [each.name, each])));
  const size = Math.min(pageSize || limits.pageSizeMax, limits.pageSizeMax);
  const workers = [...byName.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const shown = workers.slice(0, size);
  const hasMore =
    workers.length > size || pages.some(({ nextPageToken }) => nextPageToken !== undefined);
  return { workers: shown, nextPageToken: hasMore ? shown.at(-1)?.name : undefined };
}

/** Only whom all leaders name; what is left to do and what is warm add up. */
function mergeVictims(lists: readonly (readonly Victim[])[]): Victim[] {
  const byWorker = Map.groupBy(lists.flat(), ({ worker }) => worker);
  return [...byWorker.values()]
    .filter((named) => named.length === lists.length)
    .map((named) => named.reduce(addVictims))
    .toSorted((a, b) => a.workLeftSeconds - b.workLeftSeconds || Number(a.warmBytes - b.warmBytes));
}

function addVictims(sum: Victim, other: Victim): Victim {
  return {
    worker: sum.worker,
    workLeftSeconds: sum.workLeftSeconds + other.workLeftSeconds,
    warmBytes: sum.warmBytes + other.warmBytes,
    // Whom one leader finds idle may be busy for another.
    reason: sum.reason === "idle" ? other.reason : sum.reason,
  };
}
