/** Asks the leader for work while there is room, and drains the worker when it ends. */
import type { Broker } from "@zfarm/broker";
import { errorTable, FarmError, limits, type WorkGrant } from "@zfarm/contract";
import { backoffMs, type Clock, type Log } from "@zfarm/runtime";
import type { AttemptRunner } from "./attempt-runner.ts";
import { describeEpochs } from "./control.ts";
import { chooseHandBacks } from "./domain/drain-plan.ts";
import { ShardRound } from "./domain/shard-round.ts";
import type { WorkerMetrics } from "./metrics.ts";
import type { LoraShelf } from "./shelf/lora-shelf.ts";
import type { WorkerState } from "./worker-state.ts";

export interface TaskLoopNeeds {
  readonly state: WorkerState;
  readonly link: Pick<Broker["link"], "ask">;
  /** Parts of the farm with a leader each. */
  readonly shards: number;
  readonly engine: { problem(): string | undefined };
  readonly shelf: Pick<LoraShelf, "report">;
  readonly runner: Pick<AttemptRunner, "begin" | "handBack" | "settle">;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: WorkerMetrics;
  /** How long the last denoise run took; 0 before the first. */
  readonly lastStepMs: () => number;
  /** How long it may go on after it was told to stop. */
  readonly drainGraceMs: number;
}

interface LoopSignals {
  readonly stop: AbortSignal;
  /** Aborts a little after `stop`: nobody waits for an answer any longer. */
  readonly giveUp: AbortSignal;
}

interface Ask extends LoopSignals {
  readonly shard: number;
  /** How long its leader may hold the request; undefined: as long as it likes. */
  readonly holdMs: number | undefined;
  /** Aborts when a newer leader is there to be asked. */
  readonly outdated: AbortSignal;
}

/** Takes work until `stop` aborts; returns when every task is finished or handed back. */
export async function runTaskLoop(needs: TaskLoopNeeds, stop: AbortSignal): Promise<void> {
  const { state, clock } = needs;
  const ended = new AbortController();
  const giveUp = new AbortController();
  // The last request is heard out for two beats: a grant on its way would else be lost, and its
  // tasks with it until their leases run out.
  const onStop = (): void => {
    state.drainForGood();
    void clock.sleep(limits.beatMs * 2, ended.signal).then(() => giveUp.abort());
  };
  stop.addEventListener("abort", onStop, { once: true });
  await takeWork(needs, { stop, giveUp: giveUp.signal });
  await drain(needs);
  ended.abort();
}

async function takeWork(needs: TaskLoopNeeds, signals: LoopSignals): Promise<void> {
  const { state, engine, clock } = needs;
  const { stop } = signals;
  const canTakeWork = (): boolean => state.slotsFree > 0 && engine.problem() === undefined;
  const round = new ShardRound(state.worker, needs.shards);
  let failures = 0;
  while (!stop.aborted) {
    await state.bell.until(canTakeWork, stop);
    if (stop.aborted) return;
    const { shard, holdMs } = round.next();
    const outdated = state.beginAsking(shard);
    const askedMs = clock.monotonic();
    const grant = await askForWork(needs, { ...signals, shard, holdMs, outdated });
    if (grant !== undefined) {
      failures = 0;
      takeGrant(needs, grant, shard);
      if (grant.leases.length > 0) round.restart();
      else if (holdMs !== limits.shardGlanceMs) await calmDown(needs, { askedMs, stop, outdated });
      continue;
    }
    // A shard without a leader must not keep the worker from the others.
    failures += 1;
    const waitMs = round.isOver ? backoffMs(failures) : 0;
    await clock.sleep(waitMs, AbortSignal.any([stop, outdated]));
    if (outdated.aborted) failures = 0;
  }
}

/**
 * Who was sent away at once would be so again, as where two workers have one name and each ends
 * the request of the other: it waits a little before it asks again.
 */
async function calmDown(
  { clock }: TaskLoopNeeds,
  ask: { askedMs: number; stop: AbortSignal; outdated: AbortSignal },
): Promise<void> {
  if (clock.monotonic() - ask.askedMs >= limits.askAgainMs) return;
  await clock.sleep(limits.askAgainMs, AbortSignal.any([ask.stop, ask.outdated]));
}

/** The leader's answer; undefined where there is none now and asking again later may help. */
async function askForWork(
  needs: TaskLoopNeeds,
  { stop, giveUp, outdated, shard, holdMs }: Ask,
): Promise<WorkGrant | undefined> {
  const { state, link, shelf, log } = needs;
  const request = {
    worker: state.worker,
    pool: state.pool,
    epochSeen: state.epochs.seen(shard),
    slotsFree: Math.min(state.slotsFree, limits.batchTasksMax),
    running: state.held.leased(),
    shelf: shelf.report(),
    ...(holdMs === undefined ? {} : { holdMs }),
  };
  try {
    return await link.ask(request, AbortSignal.any([giveUp, outdated]), shard);
  } catch (error) {
    if (stop.aborted || outdated.aborted) return undefined;
    if (!(error instanceof FarmError) || !errorTable[error.code].retry) throw error;
    log.warn({ code: error.code, error_message: error.message }, "nobody answers with work");
    return undefined;
  }
}

function takeGrant(needs: TaskLoopNeeds, grant: WorkGrant, shard: number): void {
  const { state, runner, log, metrics } = needs;
  if (!state.epochs.obeys(grant.epoch, shard)) {
    metrics.staleEpochsTotal.inc();
    log.warn(describeEpochs(state, grant.epoch, shard), "grant of an old leader is refused");
    return;
  }
  if (grant.leases.length === 0) return;
  runner.begin(grant.leases);
  // The next request would list the leases; where none follows a beat does, so that the leader
  // knows them even if a task kills the worker in its first second.
  if (state.slotsFree === 0) state.tellAtOnce();
}

/** Finishes what fits into the grace and hands the rest back, so that others can begin with it. */
async function drain(needs: TaskLoopNeeds): Promise<void> {
  const { state, runner, clock, log, drainGraceMs: graceMs } = needs;
  const bounds = { graceMs, stepMs: needs.lastStepMs() };
  const handBacks = chooseHandBacks(state.held.all(), bounds);
  log.info({ held: state.held.size, handed_back: handBacks.length }, "worker drains");
  // A step of a large picture takes long; there is time for it as long as the grace lasts.
  const releaseMs = Math.max(graceMs, limits.releaseMs);
  for (const held of handBacks) runner.handBack(held, releaseMs);
  await waitUntilEmpty(state, clock, graceMs);
  for (const held of state.held.all()) runner.handBack(held);
  await runner.settle();
}

async function waitUntilEmpty(state: WorkerState, clock: Clock, graceMs: number): Promise<void> {
  const done = new AbortController();
  const timeUp = new AbortController();
  const timer = clock.sleep(graceMs, done.signal).then(() => timeUp.abort());
  await state.bell.until(() => state.held.size === 0, timeUp.signal);
  done.abort();
  await timer;
}
