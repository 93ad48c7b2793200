/**
 * One term of leadership: rebuilds the index from the logs, then follows them and serves until
 * the term is stopped, lost, or fails. Rebuilding first and serving after is what keeps a task
 * from being granted although its outcome exists, or although its job was paused.
 */
import type { LeaderTerm, StoredOutcome, StoredTask } from "@zfarm/broker";
import { FarmError, limits } from "@zfarm/contract";
import { isPlaceable, taskOf } from "./check-message.ts";
import { Decider, type TermNeeds } from "./decider.ts";
import type { SchedulerEvent } from "./domain/scheduler-event.ts";
import { hideFarm } from "./metrics.ts";
import { rebuildIndex } from "./rebuild-index.ts";
import { hearBeats, serveFarm } from "./serve-farm.ts";
import { countOutcome } from "./slo-metrics.ts";
import { Wishes } from "./wishes.ts";

/** Leads until `stop` or `term.lost` aborts; rejects with what made the term fail. */
export async function leadTerm(
  needs: TermNeeds,
  term: LeaderTerm,
  stop: AbortSignal,
): Promise<void> {
  const decider = new Decider(needs, term, stop);
  needs.metrics.epoch.set(Number(term.epoch));
  // Workers are heard from the first moment: the rebuild takes no time from their grace.
  const stopHearing = hearBeats(decider);
  const wishes = new Wishes(decider);
  try {
    await Promise.all([
      guard(decider, () => wishes.followControls()),
      guard(decider, () => wishes.followPolicies()),
      guard(decider, () => followQueue(decider, wishes)),
      guard(decider, () => decider.tick()),
    ]);
    decider.throwIfFailed();
  } finally {
    stopHearing();
    hideFarm(needs.metrics);
  }
}

/** A part of the term that fails, or ends before it, ends the term and with it the other parts. */
async function guard(decider: Decider, run: () => Promise<void>): Promise<void> {
  try {
    await run();
    if (decider.ended.aborted) return;
    decider.fail(new FarmError("BROKER_UNAVAILABLE", "the broker stopped following a log"));
  } catch (error) {
    decider.fail(error);
  }
}

/** What QUEUE holds until it is caught up is the index to rebuild; the rest comes as it comes. */
async function followQueue(decider: Decider, wishes: Wishes): Promise<void> {
  const { broker, clock } = decider.needs;
  const startedAt = clock.monotonic();
  const outcomesBefore = await broker.outcomes.lastRevision();
  let found: StoredTask[] | undefined = [];
  let serving: Promise<void> | undefined;
  for await (const followed of broker.queue.follow(decider.ended)) {
    if (followed.kind === "caught-up") {
      // Nothing more is read meanwhile: what comes next waits in the log.
      await wishes.told();
      await rebuildIndex(found ?? [], decider, wishes);
      found = undefined;
      serving = guard(decider, () => followOutcomes(decider, { outcomesBefore, startedAt }));
      continue;
    }
    const usable = followed.entries.filter((stored) => isUsable(stored, decider));
    if (found === undefined) decider.decideAll(usable.map(taskStored));
    else for (const stored of usable) found.push(stored);
  }
  await serving;
}

function taskStored(stored: StoredTask): SchedulerEvent {
  return { kind: "task-stored", ...stored };
}

function isUsable(stored: StoredTask, { writer, needs }: Decider): boolean {
  writer.sawTask(stored);
  if (isPlaceable(stored.task)) return true;
  needs.log.error({ revision: String(stored.revision) }, "unusable message in queue");
  return false;
}

/** Outcomes of before the rebuild were looked up by it; once the newer ones are seen, serve. */
async function followOutcomes(
  decider: Decider,
  start: { outcomesBefore: bigint; startedAt: number },
): Promise<void> {
  const { broker } = decider.needs;
  const options = { after: start.outcomesBefore, stop: decider.ended };
  let stopServing: (() => void) | undefined;
  let keeping: Promise<unknown> | undefined;
  try {
    for await (const followed of broker.outcomes.follow(options)) {
      if (followed.kind === "caught-up") {
        stopServing = beginServing(decider, start.startedAt);
        keeping = Promise.all([keepStore(decider), autoscale(decider)]);
        continue;
      }
      const { entries, unread } = followed;
      const seen = entries.flatMap((stored) => outcomeSeen(stored, decider));
      decider.decideAll([...seen, { kind: "outcomes-read", count: entries.length, unread }]);
    }
  } finally {
    stopServing?.();
    await finishTerm(decider);
    await keeping;
  }
}

function outcomeSeen({ outcome, revision }: StoredOutcome, { needs }: Decider): SchedulerEvent[] {
  const id = taskOf(outcome);
  if (id !== undefined) {
    countOutcome(needs.metrics, outcome);
    needs.metrics.projects.count(outcome);
    needs.metrics.pictures.observe(outcome);
    return [{ kind: "outcome-seen", id, outcome }];
  }
  needs.log.error({ revision: String(revision) }, "unusable message in outcomes");
  return [];
}

/** From here on this leader is the one that workers hear; before, they found nobody. */
function beginServing(decider: Decider, startedAt: number): () => void {
  const { clock, log, metrics } = decider.needs;
  // In this order: workers that are told who leads ask at once and must find somebody.
  const stopServing = serveFarm(decider);
  decider.decide({ kind: "rebuilt" });
  const rebuildMs = Math.round(clock.monotonic() - startedAt);
  metrics.rebuildSeconds.set(rebuildMs / 1_000);
  metrics.leader.set(1);
  log.info({ rebuild_ms: rebuildMs }, "leading");
  return stopServing;
}

/** Beside everything else; undefined where this process has no object store. */
function keepStore(decider: Decider): Promise<void> | undefined {
  const { store } = decider.needs;
  return store && guard(decider, () => store.run(decider));
}

/** Undefined where this leader sees only a part of the farm. */
function autoscale(decider: Decider): Promise<void> | undefined {
  const { autoscaler } = decider.needs;
  return autoscaler && guard(decider, () => autoscaler.run(decider));
}

/** After a stop waiting workers are sent on and writes may end; a lost term just ends. */
async function finishTerm({ writer, over, needs }: Decider): Promise<void> {
  if (over.aborted) return;
  writer.answerAll();
  const inTime = new AbortController();
  const late = needs.clock.sleep(limits.brokerRequestMs, inTime.signal);
  await Promise.race([writer.drained(), late]);
  inTime.abort();
}
