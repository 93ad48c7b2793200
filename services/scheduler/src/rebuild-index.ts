/**
 * Rebuilds the core's index at the start of a term. A task whose outcome exists is told after its
 * outcome, so the core has it removed instead of granting it.
 */
import { setImmediate as yieldToEventLoop } from "node:timers/promises";
import type { StoredOutcome, StoredTask } from "@zfarm/broker";
import {
  limits,
  type Outcome,
  type TaskId,
  type TaskKey,
  taskIdOf,
  taskKey,
} from "@zfarm/contract";
import { taskOf } from "./check-message.ts";
import type { Wishes, WishesNeeds } from "./wishes.ts";

/** A term that told a whole backlog in one turn could not renew its leadership meanwhile. */
const toldPerTurn = 500;

/**
 * Finds the outcomes of all tasks, then tells the core each task in the order of the queue. Of
 * jobs whose failed tasks are counted every outcome is told first.
 */
export async function rebuildIndex(
  stored: readonly StoredTask[],
  decider: WishesNeeds,
  wishes: Pick<Wishes, "isBudgeted">,
): Promise<void> {
  const outcomes = await findOutcomes(stored, decider, wishes);
  for (const outcome of outcomes.values()) {
    const id = taskOf(outcome);
    if (id === undefined || !wishes.isBudgeted(id)) continue;
    decider.decide({ kind: "outcome-seen", id, outcome });
  }
  for (const [count, { task, ...message }] of stored.entries()) {
    if (count % toldPerTurn === 0) await yieldToEventLoop();
    if (task.spec === undefined) continue;
    const id = taskIdOf(task.spec);
    const outcome = outcomes.get(taskKey(id));
    if (outcome !== undefined && !wishes.isBudgeted(id)) {
      decider.decide({ kind: "outcome-seen", id, outcome });
    }
    decider.decide({ kind: "task-stored", task, ...message });
  }
}

/** With bounded parallelism; incomplete only when the term has ended meanwhile. */
async function findOutcomes(
  stored: readonly StoredTask[],
  decider: WishesNeeds,
  wishes: Pick<Wishes, "isBudgeted">,
): Promise<Map<TaskKey, Outcome>> {
  const found = new Map<TaskKey, Outcome>();
  const requests = await planRequests(stored, decider, wishes);
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
  const { lost } = decider.needs;
  if (lost === undefined || decider.ended.aborted) return found;
  const open = idsOf(stored).filter((id) => !found.has(taskKey(id)));
  for (const { outcome } of await lost.restoreAll(open, decider.ended)) {
    const id = taskOf(outcome);
    if (id !== undefined) found.set(taskKey(id), outcome);
  }
  return found;
}

/**
 * One listing for a job with many live tasks or a budget. Tasks of small jobs are looked for in
 * one listing of their project, unless that is much longer than they are many, else one by one.
 */
async function planRequests(
  stored: readonly StoredTask[],
  { needs }: WishesNeeds,
  wishes: Pick<Wishes, "isBudgeted">,
): Promise<Request[]> {
  const outcomes = needs.lost?.standing ?? needs.broker.outcomes;
  const requests: Request[] = [];
  const singles: TaskId[] = [];
  for (const ids of groupByJob(stored)) {
    const [first] = ids;
    if (first === undefined) continue;
    const isBudgeted = wishes.isBudgeted(first);
    if (ids.length >= limits.rebuildListMin || isBudgeted) {
      // What counts against a budget may have been lost, too, and waits no more.
      const asked = isBudgeted ? needs.broker.outcomes : outcomes;
      requests.push(async () => outcomesIn(await asked.list(first)));
    } else singles.push(...ids);
  }
  for (const [project, ids] of Map.groupBy(singles, (id) => id.project)) {
    const max = ids.length * limits.rebuildListFactor;
    const isWorth = ids.length >= limits.rebuildListMin;
    const listed = isWorth ? await outcomes.listProject(project, max) : undefined;
    if (listed !== undefined) requests.push(async () => outcomesIn(listed));
    else for (const id of ids) requests.push(async () => outcomesIn([await outcomes.find(id)]));
  }
  return requests;
}

type Request = () => Promise<readonly Outcome[]>;

function outcomesIn(found: readonly (StoredOutcome | undefined)[]): Outcome[] {
  return found.flatMap((stored) => (stored === undefined ? [] : [stored.outcome]));
}

function groupByJob(stored: readonly StoredTask[]): TaskId[][] {
  return [...Map.groupBy(idsOf(stored), (id) => `${id.project}.${id.job}`).values()];
}

function idsOf(stored: readonly StoredTask[]): TaskId[] {
  return stored.flatMap(({ task }) => (task.spec === undefined ? [] : [taskIdOf(task.spec)]));
}
