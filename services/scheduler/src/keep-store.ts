/**
 * What the leader does about the object store, beside leading: compares manifests with the
 * streams at the beginning of its term and now and then, and sweeps garbage. Trouble of the store
 * costs a round and never the term.
 */
import type { BlobStore } from "@zfarm/blobs";
import type { Broker, OutcomeLog } from "@zfarm/broker";
import { errorTable, FarmError, limits } from "@zfarm/contract";
import { backoffMs } from "@zfarm/runtime";
import type { Decider } from "./decider.ts";
import type { ReconcileNeeds } from "./reconcile-job.ts";
import { reconcileRound } from "./reconcile-round.ts";
import type { StoreMetrics } from "./store-metrics.ts";
import { sweepLoras } from "./sweep-loras.ts";
import { sweepObjects, sweepStart } from "./sweep-objects.ts";

interface StoreKeeperNeeds {
  readonly blobs: BlobStore;
  readonly metrics: StoreMetrics;
  /** Whether a project lies in the leader's shard. */
  readonly isOwn: (project: string) => boolean;
  /** As the broker has them: what it lacks is what is looked for here. */
  readonly outcomes: OutcomeLog;
}

/** Lives as long as the process: what its probes say about the store work of the current term. */
export class StoreKeeper {
  readonly #blobs: BlobStore;
  readonly #metrics: StoreMetrics;
  readonly #isOwn: StoreKeeperNeeds["isOwn"];
  readonly #outcomes: OutcomeLog;
  #isRestoring = false;
  /** Jobs that were just being created in the newest round. */
  #beingCreated = 0;

  constructor({ blobs, metrics, isOwn, outcomes }: StoreKeeperNeeds) {
    this.#outcomes = outcomes;
    this.#blobs = blobs;
    this.#metrics = metrics;
    this.#isOwn = isOwn;
  }

  /** A leader that still puts back what was lost is not ready; a standby has no part in it. */
  problem(): string | undefined {
    return this.#isRestoring ? "the farm is being restored from its manifests" : undefined;
  }

  /**
   * Runs from when the leader serves until its term ends. A request to a store that hangs is not
   * waited for: what it may still do is harmless, and a stop has less time than it.
   */
  async run(decider: Decider): Promise<void> {
    const { ended } = decider;
    const keeping = this.#keep(decider).catch((error: unknown) => {
      if (!ended.aborted) throw error;
    });
    try {
      await Promise.race([keeping, whenAborted(ended)]);
    } finally {
      this.#isRestoring = false;
    }
  }

  async #keep(decider: Decider): Promise<void> {
    const { broker, clock } = decider.needs;
    const { ended } = decider;
    const reconcile = this.#createReconcile(decider);
    await this.#attempt("reconcile", decider, async () => {
      this.#isRestoring = !(await broker.farm.isRestored());
    });
    for (let tries = 1; !(await reconcile()) && !ended.aborted; tries += 1) {
      await clock.sleep(backoffMs(tries), ended);
    }
    this.#isRestoring = false;
    let sweptTo = sweepStart;
    // What looked as if it was being created may be a job whose last message was lost.
    const waitMs = this.#beingCreated > 0 ? limits.manifestSettleMs : limits.reconcileEveryMs;
    let reconcileAtMs = clock.monotonic() + waitMs;
    let lorasAtMs = Number.NEGATIVE_INFINITY;
    while (!ended.aborted) {
      await clock.sleep(limits.objectSweepEveryMs, ended);
      if (ended.aborted) return;
      await this.#attempt("sweep", decider, async () => {
        sweptTo = await sweepObjects(this.#sweepNeeds(decider), sweptTo);
      });
      if (clock.monotonic() - lorasAtMs >= limits.loraSweepEveryMs) {
        lorasAtMs = clock.monotonic();
        await this.#attempt("sweep", decider, () => sweepLoras(this.#sweepNeeds(decider)));
      }
      if (clock.monotonic() < reconcileAtMs) continue;
      reconcileAtMs = clock.monotonic() + limits.reconcileEveryMs;
      await reconcile();
    }
  }

  /** One round for each call; what is known of ended jobs lasts for the term. */
  #createReconcile(decider: Decider): () => Promise<boolean> {
    const { clock, log } = decider.needs;
    const endedJobs = new Set<string>();
    const needs: ReconcileNeeds = {
      broker: this.#brokerOf(decider),
      blobs: this.#blobs,
      isOwn: this.#isOwn,
      live: (job) => new Set(decider.scheduler.describeJob(job).map(({ index }) => index)),
      clock,
      log,
      metrics: this.#metrics,
    };
    return () =>
      this.#attempt("reconcile", decider, async () => {
        this.#beingCreated = await reconcileRound(needs, endedJobs, decider.ended);
      });
  }

  #sweepNeeds(decider: Decider) {
    const { clock } = decider.needs;
    const broker = this.#brokerOf(decider);
    return { broker, blobs: this.#blobs, isOwn: this.#isOwn, clock, metrics: this.#metrics };
  }

  #brokerOf({ needs: { broker } }: Decider): Broker {
    return { ...broker, outcomes: this.#outcomes };
  }

  /** Whether the round came through; throws what no later round would heal. */
  async #attempt(
    round: "reconcile" | "sweep",
    decider: Decider,
    run: () => Promise<void>,
  ): Promise<boolean> {
    try {
      await run();
      return true;
    } catch (error) {
      if (decider.ended.aborted) return false;
      if (!(error instanceof FarmError) || !errorTable[error.code].retry) throw error;
      this.#metrics.roundsFailed.inc({ round });
      decider.needs.log.warn({ error, round }, "round over the object store stopped short");
      return false;
    }
  }
}

function whenAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
