/**
 * Carries every leased task to its end: into the engine, its progress out, its picture to the
 * store, its failure to the leader. Each attempt ends exactly once, with one wide log line.
 */
import type { Broker } from "@zfarm/broker";
import {
  type AttemptReport,
  describeFailure,
  FarmError,
  type Lease,
  type LoraRef,
  limits,
  type TaskFailure,
} from "@zfarm/contract";
import type { Clock, Log } from "@zfarm/runtime";
import { describeDelivery, type EndFacts, identify } from "./attempt-facts.ts";
import type { AttemptTraces, DenoiseRun } from "./attempt-traces.ts";
import { type DeliveryNeeds, deliver } from "./delivery.ts";
import { HeldTask } from "./domain/held-tasks.ts";
import type { RenderTask, Resume, TaskPreview, TaskStep } from "./engine/protocol.ts";
import type { EngineEnd, EngineProcess, RenderHandlers } from "./engine-process.ts";
import type { FailureMetrics } from "./failure-metrics.ts";
import type { LatentStore } from "./latent-store.ts";
import { type AttemptEnd, observeStages, type WorkerMetrics } from "./metrics.ts";
import type { PreviewWishes } from "./preview-wishes.ts";
import { retry } from "./retry.ts";
import type { LoraHold, LoraShelf } from "./shelf/lora-shelf.ts";
import type { WorkerState } from "./worker-state.ts";

export interface AttemptRunnerNeeds {
  readonly state: WorkerState;
  readonly engine: Pick<EngineProcess, "render" | "cancel" | "release" | "preview">;
  readonly shelf: Pick<LoraShelf, "note" | "hold" | "isReady" | "bring" | "release" | "prewarm">;
  readonly wishes: Pick<PreviewWishes, "has">;
  readonly latents: Pick<LatentStore, "keep" | "load">;
  readonly broker: Pick<Broker, "link" | "progress">;
  readonly delivery: DeliveryNeeds;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: WorkerMetrics;
  readonly failures: FailureMetrics;
  readonly traces: AttemptTraces;
  /** Told of what must never happen: the process ends. */
  readonly fail: (error: unknown) => void;
}

export class AttemptRunner implements RenderHandlers {
  readonly #needs: AttemptRunnerNeeds;
  /** Canceled tasks that the engine has not let go of yet, by their attempts' names. */
  readonly #leaving = new Map<string, HeldTask>();
  /** Tasks that the engine shall give out, and whom to tell how that ended. */
  readonly #releasing = new Map<string, (end: EngineEnd) => void>();
  /** Deliveries and reports under way. */
  readonly #work = new Set<Promise<void>>();
  /** Aborts when the worker ends: what did not work is not tried again. */
  readonly #ending = new AbortController();

  constructor(needs: AttemptRunnerNeeds) {
    this.#needs = needs;
  }

  /**
   * Takes the leases of one grant and gives them to the engine as one batch; those whose adapters
   * are not there yet follow when they are, and hold up nobody.
   */
  begin(leases: readonly Lease[]): void {
    const { state, engine, shelf, clock } = this.#needs;
    const tasks: RenderTask[] = [];
    shelf.note(leases.map(({ spec }) => spec?.stack?.adapters ?? []));
    for (const lease of leases) {
      const held = this.#hold(lease, clock.now());
      if (held === undefined) continue;
      const isReady = this.#holdAdapters(held);
      if (!isReady) continue;
      if (held.latents === undefined) tasks.push(toRenderTask(held));
      else this.#track(this.#goOn(held));
    }
    this.#changed();
    if (tasks.length > 0) engine.render(tasks, this);
    state.bell.ring();
  }

  /** Fetches an adapter for a task that will come. */
  prewarm(lora: LoraRef): void {
    // Not waited for when the worker ends: nothing depends on it.
    this.#needs.shelf.prewarm(lora).catch(this.#needs.fail);
  }

  /** The task has an outcome: its work stops and nothing is published or reported. */
  cancel(held: HeldTask): void {
    if (this.#needs.engine.cancel(held.name)) this.#leaving.set(held.name, held);
    this.#end(held, "canceled");
  }

  /**
   * Gives the task back unharmed, with what was done of it. The engine lets it go between two
   * steps; where that takes too long, what it gave out last counts. It spends no attempt.
   */
  handBack(held: HeldTask, releaseMs: number = limits.releaseMs): void {
    if (this.#releasing.has(held.name)) return;
    const isRunning = held.phase === "rendering" && this.#needs.engine.release(held.name);
    if (isRunning) {
      this.#track(this.#release(held, releaseMs));
      return;
    }
    // Its picture is not there in time, and what it was made from may be.
    if (held.phase === "delivering" && held.done !== undefined && !held.hasFailed) {
      this.#track(this.#handOver(held, held.done));
      return;
    }
    this.#needs.engine.cancel(held.name);
    this.#end(held, "handed_back");
    this.#track(this.#report(held, {}));
  }

  async #release(held: HeldTask, releaseMs: number): Promise<void> {
    const { promise: released, resolve } = Promise.withResolvers<EngineEnd | undefined>();
    this.#releasing.set(held.name, resolve);
    const done = new AbortController();
    void this.#needs.clock.sleep(releaseMs, done.signal).then(() => resolve(undefined));
    const end = await released;
    done.abort();
    this.#releasing.delete(held.name);
    // It ended in another way meanwhile, and that counts.
    if (end !== undefined && end.kind !== "released") return;
    if (held.abandoned.signal.aborted) return;
    await this.#handOver(held, end?.done ?? held.done);
  }

  /** Until the leader knows, heartbeats still list the lease: the task must not look lost. */
  async #handOver(held: HeldTask, done: Resume | undefined): Promise<void> {
    const latents = done && (await this.#needs.latents.keep(held, done));
    if (held.abandoned.signal.aborted) return;
    await this.#report(held, { latents });
    this.#end(held, "handed_back", { resumable: latents !== undefined });
  }

  /** Ends the retries; resolves once nothing is on its way to the broker or the store. */
  async settle(): Promise<void> {
    this.#ending.abort();
    while (this.#work.size > 0) await Promise.allSettled(this.#work);
  }

  onStarted(name: string): void {
    const held = this.#needs.state.held.named(name);
    if (held === undefined) return;
    held.phase = "rendering";
    this.#needs.traces.started(held);
    const value = { worker: this.#needs.state.worker, attempt: held.attempt };
    this.#needs.broker.progress.publish({ ...held.id, event: { $case: "started", value } });
  }

  onStep(step: TaskStep, run: DenoiseRun): void {
    const held = this.#needs.state.held.named(step.task);
    if (held === undefined) return;
    const { index, total } = step;
    held.step = index;
    this.#needs.traces.step(held, step, run);
    const value = { index, total };
    this.#needs.broker.progress.publish({ ...held.id, event: { $case: "step", value } });
    const { wishes, clock } = this.#needs;
    if (index < total && wishes.has(held.id, clock.now())) this.#needs.engine.preview(held.name);
    // The slot is free from the last step on: decoding and upload overlap the next batch.
    if (index >= total) held.phase = "delivering";
    this.#changed();
  }

  onLatents(name: string, done: Resume): void {
    const held = this.#needs.state.held.named(name);
    if (held !== undefined) held.done = done;
  }

  onPreview({ task, index, total, image }: TaskPreview): void {
    const held = this.#needs.state.held.named(task);
    if (held === undefined) return;
    const value = { index, total, image: Buffer.from(image) };
    this.#needs.broker.progress.publish({ ...held.id, event: { $case: "preview", value } });
  }

  onEnd(name: string, end: EngineEnd): void {
    this.#noteLeft(name, end);
    this.#releasing.get(name)?.(end);
    this.#releasing.delete(name);
    const held = this.#needs.state.held.named(name);
    if (held === undefined) return;
    held.phase = "delivering";
    this.#changed();
    switch (end.kind) {
      case "released":
        return;
      case "finished":
        this.#needs.traces.rendered(held, end.timings);
        this.#track(this.#deliver(held, end));
        return;
      case "failed":
        this.#track(this.#failAttempt(held, end.failure));
        return;
      case "refused":
        this.handBack(held);
        return;
      case "canceled":
        // Only tasks that are no longer held are canceled in the engine.
        this.#needs.fail(new FarmError("INTERNAL", `the engine dropped ${name} unasked`));
        return;
    }
  }

  /** Says what a cancel was good for, once the engine has let the task go. */
  #noteLeft(name: string, end: EngineEnd): void {
    const held = this.#leaving.get(name);
    if (!this.#leaving.delete(name) || held === undefined || end.kind !== "canceled") return;
    const { log, metrics } = this.#needs;
    metrics.stepsSavedTotal.inc(end.stepsSaved);
    log.info({ ...identify(held), steps_saved: end.stepsSaved }, "canceled task left the engine");
  }

  /** The new entry; undefined where the lease cannot or need not be rendered. */
  #hold(lease: Lease, nowMs: number): HeldTask | undefined {
    const { state, log } = this.#needs;
    const { spec } = lease;
    if (spec?.image?.seed === undefined) {
      log.error({ fence: lease.fence.toString() }, "lease without a complete spec is ignored");
      return undefined;
    }
    const held = new HeldTask({ ...lease, spec }, spec.image, nowMs);
    const standing = state.held.get(held.key);
    if (standing?.hasFailed === true) {
      // The leader has judged that attempt, though its answer is not here yet: this is a new one.
      this.#end(standing, "failed");
    } else if (standing !== undefined) {
      // The leader lost sight of a lease that is alive here; the work goes on under the new one.
      standing.fence = lease.fence;
      return undefined;
    }
    state.held.add(held);
    this.#needs.traces.begin(held, state.worker);
    return held;
  }

  /** Whether the engine has the adapters of a task; where not, they are brought. */
  #holdAdapters(held: HeldTask): boolean {
    if (held.adapters.length === 0) return true;
    const { shelf } = this.#needs;
    const hold = shelf.hold(held.adapters);
    // Whatever ends the task lets go of them.
    held.abandoned.signal.addEventListener("abort", () => shelf.release(hold), { once: true });
    if (shelf.isReady(hold) && held.latents === undefined) return true;
    held.phase = "loading";
    this.#track(this.#bring(held, hold));
    return false;
  }

  /** Gives a task without adapters to the engine that another worker has begun. */
  async #goOn(held: HeldTask): Promise<void> {
    const resume = await this.#resumeOf(held);
    if (held.abandoned.signal.aborted) return;
    this.#needs.engine.render([toRenderTask(held, resume)], this);
  }

  async #resumeOf(held: HeldTask): Promise<Resume | undefined> {
    if (held.latents === undefined) return undefined;
    const resume = await this.#needs.latents.load(held, held.latents);
    held.step = resume?.step ?? 0;
    return resume;
  }

  async #bring(held: HeldTask, hold: LoraHold): Promise<void> {
    const { engine, shelf, traces } = this.#needs;
    const span = traces.part(held, "bring adapters");
    const [brought, resume] = await Promise.all([shelf.bring(hold), this.#resumeOf(held)]);
    span?.end(this.#needs.clock.now());
    if (held.abandoned.signal.aborted) return;
    if (brought.kind === "failed") {
      held.phase = "delivering";
      this.#changed();
      await this.#failAttempt(held, brought.failure);
    } else if (shelf.isReady(hold)) {
      held.phase = "waiting";
      this.#changed();
      engine.render([toRenderTask(held, resume)], this);
    } else {
      // The engine ended meanwhile; nobody can say that the task was to blame.
      this.handBack(held);
    }
  }

  async #deliver(held: HeldTask, end: EngineEnd & { kind: "finished" }): Promise<void> {
    const { traces, clock } = this.#needs;
    const startMs = clock.now();
    const delivery = await deliver(this.#needs.delivery, held, end);
    traces.delivered(held, delivery, startMs);
    switch (delivery.kind) {
      case "won":
        observeStages(this.#needs.metrics, delivery.timings);
        this.#end(held, "succeeded", describeDelivery(delivery));
        return;
      case "lost":
        this.#needs.metrics.duplicateResultsTotal.inc();
        this.#end(held, "lost");
        return;
      case "upload-failed":
        await this.#failAttempt(held, describeUploadFailure(delivery.error));
        return;
      case "publish-failed":
        // Nobody can be told while the broker is away; the lease runs out.
        this.#end(held, "unknown", { error: delivery.error });
        return;
    }
  }

  /** Tells the leader, then lets go: until it knows, heartbeats still list the lease. */
  async #failAttempt(held: HeldTask, failure: TaskFailure): Promise<void> {
    // Canceled or handed back meanwhile: the leader already knows better.
    if (held.abandoned.signal.aborted) return;
    held.hasFailed = true;
    this.#needs.failures.count(failure.reason);
    await this.#report(held, { failure });
    const { reason, message } = failure;
    this.#end(held, "failed", { reason, failure_message: message });
  }

  async #report(held: HeldTask, what: Pick<AttemptReport, "failure" | "latents">): Promise<void> {
    const { state, broker, clock, log } = this.#needs;
    const report = { worker: state.worker, task: held.leased, ...what };
    try {
      const retrying = { clock, stop: this.#ending.signal };
      await retry(() => broker.link.report(report), retrying);
    } catch (error) {
      if (!(error instanceof FarmError)) throw error;
      // The lease runs out by itself, later but all the same.
      log.warn({ ...identify(held), error }, "attempt could not be reported");
    }
  }

  /** The one place where a task leaves the worker; the second call for a task does nothing. */
  #end(held: HeldTask, end: AttemptEnd, fields: EndFacts = {}): void {
    const { state, clock, log, metrics, traces } = this.#needs;
    if (!state.held.remove(held)) return;
    held.abandoned.abort();
    metrics.imagesTotal.inc({ outcome: end });
    const { width, height, steps } = held.image;
    const size = { width, height, steps, steps_done: held.step };
    const took = { duration_ms: clock.now() - held.grantedMs };
    const ids = { ...identify(held), ...traces.ids(held) };
    log.info({ ...ids, outcome: end, ...size, ...took, ...fields }, "task ended");
    traces.end(held, end, fields.reason);
    this.#changed();
  }

  #track(work: Promise<void>): void {
    const tracked = work.catch(this.#needs.fail).finally(() => this.#work.delete(tracked));
    this.#work.add(tracked);
  }

  #changed(): void {
    const { state, metrics } = this.#needs;
    metrics.tasksHeld.set(state.held.size);
    state.bell.ring();
  }
}

function toRenderTask(held: HeldTask, resume?: Resume): RenderTask {
  const { prompt, width, height, steps, seed = 0n, guidance } = held.image;
  const stack = held.adapters.map(({ digest, weight }) => ({ digest, weight }));
  const left = resume === undefined ? {} : { resume };
  const task = { task: held.name, prompt, width, height, steps, seed, guidance, ...left };
  return stack.length === 0 ? task : { ...task, stack };
}

function describeUploadFailure(error: FarmError): TaskFailure {
  return describeFailure("UPLOAD_FAILED", `the picture could not be stored: ${error.message}`);
}
