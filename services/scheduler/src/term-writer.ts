/**
 * Does what the core wants done at the broker. Answers, commands and news are sent at once;
 * writes to the logs run in the background, each retried until it is done or the term is over.
 * Every write is harmless when repeated, and when an older leader makes it.
 */
import type { Broker, StoredTask } from "@zfarm/broker";
import {
  type Control,
  errorTable,
  FarmError,
  limits,
  type Progress,
  type TaskId,
  taskKey,
  type WorkGrant,
} from "@zfarm/contract";
import { backoffMs, type Clock } from "@zfarm/runtime";
import type { SchedulerEffect } from "./domain/scheduler-effect.ts";
import type { SchedulerEvent } from "./domain/scheduler-event.ts";
import type { SchedulerMetrics } from "./metrics.ts";
import { QueueSweeper } from "./queue-sweeper.ts";
import { TaskLanes } from "./task-lanes.ts";
import type { TaskTraces } from "./task-traces.ts";

type EffectOf<Kind extends SchedulerEffect["kind"]> = Extract<SchedulerEffect, { kind: Kind }>;

interface TermWriterNeeds {
  readonly broker: Broker;
  readonly clock: Clock;
  readonly metrics: SchedulerMetrics;
  readonly traces: TaskTraces;
  readonly epoch: bigint;
  /** Aborts when this leader must not write any more. */
  readonly over: AbortSignal;
  /** Tells the core how a write ended. */
  readonly decide: (event: SchedulerEvent) => void;
  /** A write failed in a way that no retry heals. */
  readonly fail: (error: unknown) => void;
}

export class TermWriter {
  readonly #needs: TermWriterNeeds;
  readonly #lanes = new TaskLanes(limits.schedulerLanes);
  readonly #sweeper: QueueSweeper;
  /** Requests for work that wait for an answer. */
  readonly #asks = new Map<number, (grant: WorkGrant) => void>();
  #askCount = 0;

  constructor(needs: TermWriterNeeds) {
    this.#needs = needs;
    const { broker, clock, over } = needs;
    const write = (work: () => Promise<void>): Promise<void> => this.#untilDone(work);
    this.#sweeper = new QueueSweeper({ queue: broker.queue, clock, over, write });
  }

  /** A message of QUEUE was read, or a part of a bundle, whatever is in it. */
  sawTask(stored: StoredTask): void {
    this.#sweeper.saw(stored);
  }

  /** Keeps the way to answer a request and names it. */
  holdAsk(respond: (grant: WorkGrant) => void): number {
    this.#askCount += 1;
    this.#asks.set(this.#askCount, respond);
    return this.#askCount;
  }

  /** Answers a request, with nothing where no leases are given. */
  answer(ask: number, leases: WorkGrant["leases"] = []): void {
    const respond = this.#asks.get(ask);
    this.#asks.delete(ask);
    respond?.({ epoch: this.#needs.epoch, leaseMs: limits.leaseMs, leases });
  }

  /** Sends every waiting worker away at once, so that it asks the next leader. */
  answerAll(): void {
    for (const ask of this.#asks.keys()) this.answer(ask);
  }

  /** Starts what an effect asks for, and returns at once. */
  apply(effect: SchedulerEffect): void {
    const { broker, epoch, traces } = this.#needs;
    switch (effect.kind) {
      case "grant":
        return this.answer(effect.ask, traces.grant(effect));
      case "answer-empty":
        return this.answer(effect.ask);
      case "control-cancel":
        return broker.link.control(effect.worker, {
          epoch,
          command: { $case: "cancel", value: effect.leased },
        });
      case "announce-leader":
      case "control-drain":
      case "control-resume":
      case "prewarm":
        return broker.link.control(effect.worker, { epoch, command: commandOf(effect) });
      case "announce-position":
        return broker.progress.publish(describePosition(effect));
      case "publish-outcome":
        traces.ended(effect);
        return this.#write(effect.id, () => this.#publish(effect));
      case "rewrite-task":
        return this.#write(effect.id, () => this.#rewrite(effect));
      case "remove-task":
        // The newer message has taken the place of this one.
        if (effect.reason === "rewritten") return this.#sweeper.forget(effect.revision);
        return this.#sweeper.leave(effect.revision);
      case "task-released":
        traces.released(effect);
        return this.#checkReleased(effect);
      case "lease-adopted":
      case "cost-learned":
      case "worker-quarantined":
        return;
    }
  }

  /** Clears QUEUE of what nobody would see; to be called now and then. */
  tidy(): void {
    void this.#sweeper.tidy();
  }

  /** Tasks of bundles that should be taken apart, bundle by bundle. */
  outlivedBundles(): TaskId[][] {
    return this.#sweeper.outlived();
  }

  /** Settles when every write so far is done or given up. */
  async drained(): Promise<void> {
    await this.#lanes.drained();
    await this.#sweeper.drained();
  }

  /** The outcome reaches the core by the log; one that was there before may be older than that. */
  async #publish({ id, outcome }: EffectOf<"publish-outcome">): Promise<void> {
    if ((await this.#needs.broker.outcomes.publish(outcome)) === "won") return;
    await this.#lookUp(id);
  }

  /** A worker drops a task quietly when its outcome turns out to exist, so that is looked up. */
  #checkReleased({ id, reason }: EffectOf<"task-released">): void {
    const isSilent = reason === "lease-dropped" || reason === "lease-expired";
    if (isSilent) this.#write(id, () => this.#lookUp(id));
  }

  async #lookUp(id: TaskId): Promise<void> {
    const found = await this.#needs.broker.outcomes.find(id);
    if (found === undefined) return;
    this.#needs.decide({ kind: "outcome-seen", id, outcome: found.outcome });
  }

  async #rewrite({ id, task, revision }: EffectOf<"rewrite-task">): Promise<void> {
    const result = await this.#needs.broker.queue.rewrite(task, revision).catch(ifFull);
    // In a conflict the task was removed or rewritten by others: its newest message will tell.
    const next = result === "conflict" ? undefined : result;
    this.#needs.decide({ kind: "task-rewritten", id, revision: next });
  }

  /** In the background, after earlier writes of the same task. */
  #write(id: TaskId, work: () => Promise<void>): void {
    this.#lanes.push(taskKey(id), () => this.#untilDone(work));
  }

  /** Never rejects: what cannot be done ends the term. */
  async #untilDone(work: () => Promise<void>): Promise<void> {
    try {
      await this.#retry(work);
    } catch (error) {
      this.#needs.fail(error);
    }
  }

  /** Until it is done, the term is over, or the failure is not one that time heals. */
  async #retry(work: () => Promise<void>): Promise<void> {
    const { over, clock, metrics } = this.#needs;
    for (let attempt = 1; !over.aborted; attempt += 1) {
      try {
        await work();
        return;
      } catch (error) {
        if (over.aborted) return;
        if (!(error instanceof FarmError) || !errorTable[error.code].retry) throw error;
        metrics.writeRetries.inc();
        await clock.sleep(backoffMs(attempt), over);
      }
    }
  }
}

/**
 * Where a task would get its first own message there may be no room: then its tries are known to
 * this leader alone, until it is rewritten again.
 */
function ifFull(error: unknown): "conflict" {
  if (error instanceof FarmError && error.code === "QUEUE_FULL") return "conflict";
  throw error;
}

type Command = EffectOf<"announce-leader" | "control-drain" | "control-resume" | "prewarm">;

function commandOf(effect: Command): Control["command"] {
  switch (effect.kind) {
    case "announce-leader":
      return { $case: "announce", value: {} };
    case "control-drain":
      return { $case: "drain", value: {} };
    case "control-resume":
      return { $case: "resume", value: {} };
    case "prewarm":
      return { $case: "prewarm", value: { lora: effect.adapter } };
  }
}

function describePosition({ id, position }: EffectOf<"announce-position">): Progress {
  return { ...id, event: { $case: "queued", value: { position } } };
}
