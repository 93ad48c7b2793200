/**
 * Rebuilds the core's index at the start of a term. A task whose outcome exists is told after its
 * outcome, so the core has it removed instead of granting it.
 */
import type { StoredTask } from "@zfarm/broker";
import {
  limits,
  type Outcome,
  type TaskId,
  type TaskKey,
  taskIdOf,
  taskKey,
} from "@zfarm/contract";
import { taskOf } from "./check-message.ts";
import type { Decider } from "./decider.ts";

/** Finds the outcomes of all tasks, then tells the core each task in the order of the queue. */
export async function rebuildIndex(stored: readonly StoredTask[], decider: Decider): Promise<void> {
  const outcomes = await findOutcomes(stored, decider);
  for (const { task, revision } of stored) {
    if (task.spec === undefined) continue;
    const id = taskIdOf(task.spec);
    const outcome = outcomes.get(taskKey(id));
    if (outcome !== undefined) decider.decide({ kind: "outcome-seen", id, outcome });
    decider.decide({ kind: "task-stored", task, revision });
  }
}

/** With bounded parallelism; incomplete only when the term has ended meanwhile. */
async function findOutcomes(
  stored: readonly StoredTask[],
  decider: Decider,
): Promise<Map<TaskKey, Outcome>> {
  const found = new Map<TaskKey, Outcome>();
  const requests = planRequests(stored, decider);
  const work = async (): Promise<void> => {
    for (let next = requests.pop(); next !== undefined; next = requests.pop()) {
      if (decider.ended.aborted) return;
      for (const outcome of await next()) {
        const id = taskOf(outcome);
        if (id !== undefined) found.set(taskKey(id), outcome);
      }
    }
  };
  await Promise.all(Array.from({ length: limits.rebuildChecksMax }, work));
  return found;
}

/** One listing for a job with many live tasks, one look for each task of a small one. */
function planRequests(
  stored: readonly StoredTask[],
  { needs }: Decider,
): (() => Promise<readonly Outcome[]>)[] {
  const { outcomes } = needs.broker;
  return groupByJob(stored).flatMap((ids) => {
    const [first] = ids;
    if (first !== undefined && ids.length >= limits.rebuildListMin) {
      return [async () => (await outcomes.list(first)).map(({ outcome }) => outcome)];
    }
    return ids.map((id) => async () => {
      const one = await outcomes.find(id);
      return one === undefined ? [] : [one.outcome];
    });
  });
}

function groupByJob(stored: readonly StoredTask[]): TaskId[][] {
  const ids = stored.flatMap(({ task }) => (task.spec === undefined ? [] : [taskIdOf(task.spec)]));
  return [...Map.groupBy(ids, (id) => `${id.project}.${id.job}`).values()];
}
