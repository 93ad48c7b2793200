/** JobService.ListTasks: the tasks of a job in the order of their index, page by page. */
import {
  ListTasksRequest,
  type ListTasksResponse,
  limits,
  type PoolId,
  type Task,
  type TaskId,
} from "@zfarm/contract";
import { forEachBounded } from "@zfarm/runtime";
import { decodePageToken, encodePageToken } from "../domain/tokens.ts";
import { invalidField } from "../domain/violations.ts";
import type { GatewayNeeds } from "../needs.ts";
import { decodeRequest } from "./decode.ts";
import { type FoundJob, findJob, liveTasks } from "./job-lookup.ts";
import { readPageSize } from "./read-page-size.ts";
import type { UnaryMethod } from "./serve-call.ts";
import { endedTask, liveTask } from "./task-view.ts";

export const listTasks: UnaryMethod<ListTasksRequest, ListTasksResponse> = {
  name: "ListTasks",
  decode: (bytes) => decodeRequest(ListTasksRequest, bytes),
  deadlineMs: limits.readMs,
  drain: "finish",
  abort: "answer",
  run: async (request, scope, needs) => {
    const size = readPageSize(request.pageSize);
    const found = await findJob(needs, request.parent, "parent");
    scope.note({ job_id: found.ref.job });
    const from = pageStart(found, request.pageToken);
    const to = Math.min(found.record.taskCount, from + size);
    const more = to < found.record.taskCount;
    return {
      tasks: await readTasks(needs, found, { from, to }),
      nextPageToken: more ? encodePageToken(found.ref, to) : "",
    };
  },
};

function pageStart({ ref }: FoundJob, token: string): number {
  const index = token === "" ? 0 : decodePageToken(ref, token);
  if (index !== undefined) return index;
  const description = "must be a next_page_token that a listing of this job returned";
  throw invalidField("page_token", { reason: "BAD_TOKEN", description });
}

async function readTasks(
  needs: GatewayNeeds,
  { ref, record }: FoundJob,
  page: { readonly from: number; readonly to: number },
): Promise<Task[]> {
  const outcomes = await needs.broker.outcomes.list(ref);
  const ended = new Map(outcomes.map(({ outcome }) => [outcome.spec?.index, outcome]));
  const allEnded = ended.size >= record.taskCount;
  const live = allEnded ? new Map() : await liveTasks(needs, ref);
  const indexes = Array.from({ length: page.to - page.from }, (_, place) => page.from + place);
  const tasks = new Map<number, Task>();
  await forEachBounded(indexes, limits.lookupParallel, async (index) => {
    const id: TaskId = { ...ref, index };
    const outcome = ended.get(index);
    if (outcome !== undefined) {
      tasks.set(index, await endedTask(needs, outcome));
      return;
    }
    const queued = await needs.broker.queue.find(record.pool as PoolId, id);
    // Gone from the queue since the outcomes were listed: it has ended.
    const late = queued === undefined ? await needs.broker.outcomes.find(id) : undefined;
    const task = liveTask(id, queued?.task.spec?.image, live.get(index));
    tasks.set(index, late === undefined ? task : await endedTask(needs, late.outcome));
  });
  return indexes.flatMap((index) => tasks.get(index) ?? []);
}
