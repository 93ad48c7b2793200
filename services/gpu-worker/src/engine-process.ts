/**
 * The engine as the worker sees it: always one child process, watched and started again after a
 * crash. Every task that was given to it gets exactly one end, whatever happens to the child.
 */
import { describeFailure, FarmError, limits, type TaskFailure } from "@zfarm/contract";
import { backoffMs, type Clock, type Log } from "@zfarm/runtime";
import type { DenoiseRun } from "./attempt-traces.ts";
import { Bell } from "./bell.ts";
import { describeModelFailure } from "./engine/failure.ts";
import type {
  EngineEvent,
  EngineInfo,
  EngineSettings,
  EngineStart,
  LoraFailure,
  RenderEnd,
  RenderTask,
  Resume,
  StepEvent,
  TaskPreview,
  TaskStep,
} from "./engine/protocol.ts";
import { type EngineChild, type EngineExit, startEngineChild } from "./engine-child.ts";
import { countMemoryKills } from "./memory-kills.ts";

/** How a task left the engine; "refused" is unharmed: the engine never began with it. */
export type EngineEnd = RenderEnd | { readonly kind: "refused" };

export interface RenderHandlers {
  onStarted(task: string): void;
  onStep(step: TaskStep, run: DenoiseRun): void;
  /** Now and then; they are the receiver's. */
  onLatents(task: string, done: Resume): void;
  onPreview(preview: TaskPreview): void;
  /** Exactly once per task, and the last call about it. */
  onEnd(task: string, end: EngineEnd): void;
}

export interface EngineOptions {
  readonly settings: EngineSettings;
  readonly clock: Clock;
  readonly log: Log;
  /** Called after each change of readiness. */
  readonly onChange?: () => void;
  readonly onRestart?: () => void;
  /** Called once per denoise run, whatever the number of tasks in it. */
  readonly onRun?: (run: DenoiseRun) => void;
  /** A child is killed that says nothing for this long, and as long as its work may take. */
  readonly stepMs?: number;
  /** A child that has not loaded its model after this long is killed. */
  readonly startMs?: number;
  /** How often the system has killed for lack of memory; undefined where nobody counts. */
  readonly countMemoryKills?: () => number | undefined;
  /** The program of the child; absent: the engine over @zfarm/zimage. */
  readonly entry?: URL;
}

/** How loading an adapter ended; "refused" is unharmed: the engine never began with it. */
export type LoraLoad =
  | { readonly kind: "loaded"; readonly bytes: number; readonly loadMs: number }
  | { readonly kind: "failed"; readonly failure: LoraFailure }
  | { readonly kind: "crashed"; readonly failure: TaskFailure }
  | { readonly kind: "refused" };

interface Flight {
  readonly handlers: RenderHandlers;
  /** Pixels that a step draws of it: a guided picture is drawn twice. */
  readonly pixels: number;
  started: boolean;
  /** Asked for a preview whose answer has not come: the next one waits for it. */
  isPreviewing: boolean;
}

/** How often the watchdog looks, at most: far finer than any limit in production. */
const watchEveryMs = 1_000;

export class EngineProcess {
  readonly #options: EngineOptions;
  readonly #flights = new Map<string, Flight>();
  /** Adapters that the child was told to load, by digest. */
  readonly #loads = new Map<string, (load: LoraLoad) => void>();
  readonly #bell = new Bell();
  #child: EngineChild | undefined;
  #state: "starting" | "ready" | "gone" = "gone";
  #info: EngineInfo | undefined;
  #start: EngineStart | undefined;
  /** When the child last said anything, or was given work while idle. */
  #lastSignMs = 0;
  /** Why the watchdog killed the child, for the failure's message. */
  #killedBecause: string | undefined;
  /** Ends of the child without one finished picture between them. */
  #crashes = 0;
  /** Children that the system killed for lack of memory: the next one plans with more. */
  #memoryLessons = 0;
  /** What the system had counted when the child began. */
  #memoryKills: number | undefined;
  /** Set where the model itself is unusable: starting again cannot help. */
  #modelFailure: string | undefined;
  #closing = false;

  constructor(options: EngineOptions) {
    this.#options = options;
  }

  /**
   * Starts the child; resolves once the model is loaded. INTERNAL where the model cannot be used
   * or the child crashes again and again; the stop signal's reason when stopped.
   */
  async start(stop: AbortSignal): Promise<EngineInfo> {
    try {
      this.#spawn();
      for (;;) {
        await this.#bell.until(() => this.#state !== "starting", stop);
        if (this.#state === "ready" && this.#info !== undefined) return this.#info;
        stop.throwIfAborted();
        await this.#spawnAgain(stop);
      }
    } catch (error) {
      this.#closing = true;
      this.#child?.kill();
      throw error;
    }
  }

  /** Keeps a child alive until stopped. INTERNAL when it dies again and again. */
  async run(stop: AbortSignal): Promise<void> {
    for (;;) {
      await this.#bell.until(() => this.#state === "gone", stop);
      if (stop.aborted) return;
      await this.#spawnAgain(stop);
    }
  }

  /** Undefined while it takes tasks, else what it waits for. */
  problem(): string | undefined {
    return this.#state === "ready" ? undefined : `the engine is ${this.#state}`;
  }

  /** What its newest start took, where the model tells; undefined before. */
  get phases(): EngineStart | undefined {
    return this.#start;
  }

  /** The process that holds the model now. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Hands over the tasks of one grant; none of them may be in the engine already. */
  render(tasks: readonly RenderTask[], handlers: RenderHandlers): void {
    if (this.#state !== "ready") {
      for (const { task } of tasks) handlers.onEnd(task, { kind: "refused" });
      return;
    }
    // An idle child owes no sign of life; its silence counts from here.
    if (this.#isIdle) this.#lastSignMs = this.#options.clock.monotonic();
    for (const task of tasks) {
      const pixels = task.width * task.height * (task.guidance === undefined ? 1 : 2);
      const flight = { handlers, pixels, started: false, isPreviewing: false };
      this.#flights.set(task.task, flight);
    }
    this.#child?.send({ kind: "render", tasks });
  }

  /** Takes the task out before its next step. Whether it is in there: then its end still comes. */
  cancel(task: string): boolean {
    this.#child?.send({ kind: "cancel", task });
    return this.#flights.has(task);
  }

  /** The same, but its end tells what was done of it. */
  release(task: string): boolean {
    this.#child?.send({ kind: "release", task });
    return this.#flights.has(task);
  }

  /** Has the child read an adapter's file; it must not be loading the same one already. */
  loadLora(digest: string, path: string): Promise<LoraLoad> {
    if (this.#state !== "ready") return Promise.resolve({ kind: "refused" });
    if (this.#isIdle) this.#lastSignMs = this.#options.clock.monotonic();
    const load = new Promise<LoraLoad>((resolve) => this.#loads.set(digest, resolve));
    this.#child?.send({ kind: "load-lora", digest, path });
    return load;
  }

  /** Has the child let go of an adapter that none of its tasks uses. */
  dropLora(digest: string): void {
    this.#child?.send({ kind: "drop-lora", digest });
  }

  /** Ends the child: gently if it gets between two steps within `closeMs`, else by force. */
  async close(closeMs: number = limits.engineCloseMs): Promise<void> {
    this.#closing = true;
    if (this.#state === "ready") {
      this.#child?.send({ kind: "shutdown" });
      await this.#bell.until(() => this.#state === "gone", AbortSignal.timeout(closeMs));
    }
    this.#child?.kill();
    await this.#bell.until(() => this.#state === "gone", AbortSignal.timeout(closeMs));
  }

  /** Asks for a preview of the task, unless one is under way. It may never come. */
  preview(task: string): void {
    const flight = this.#flights.get(task);
    if (flight === undefined || flight.isPreviewing) return;
    flight.isPreviewing = true;
    this.#child?.send({ kind: "preview", task });
  }

  #spawn(): void {
    const { settings, entry, clock, countMemoryKills: count = countMemoryKills } = this.#options;
    const gone = new AbortController();
    this.#killedBecause = undefined;
    this.#lastSignMs = clock.monotonic();
    this.#memoryKills = count();
    this.#state = "starting";
    this.#child = startEngineChild({
      settings: { ...settings, memoryLessons: this.#memoryLessons },
      ...(entry === undefined ? {} : { entry }),
      onEvent: (event) => this.#onEvent(event),
      onExit: (exit) => {
        gone.abort();
        this.#onExit(exit);
      },
    });
    void this.#watch(this.#child, gone.signal);
  }

  async #spawnAgain(stop: AbortSignal): Promise<void> {
    const { clock, log, onRestart } = this.#options;
    if (this.#modelFailure !== undefined) throw new FarmError("INTERNAL", this.#modelFailure);
    if (this.#crashes >= limits.engineCrashesMax) {
      const why = `the engine ended ${this.#crashes} times without finishing a picture`;
      throw new FarmError("INTERNAL", why);
    }
    await clock.sleep(backoffMs(this.#crashes), stop);
    if (stop.aborted) return;
    log.info({ crashes: this.#crashes }, "engine starts again");
    onRestart?.();
    this.#spawn();
  }

  /** Kills a child that is silent for too long while it loads its model or has tasks. */
  async #watch(child: EngineChild, gone: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    const { stepMs = limits.engineStepMs, startMs = limits.engineStartMs } = this.#options;
    while (!gone.aborted) {
      await clock.sleep(Math.min(watchEveryMs, stepMs / 4, startMs / 4), gone);
      const isStarting = this.#state === "starting";
      const limitMs = isStarting ? startMs : stepMs + this.#patienceMs();
      if ((!isStarting && this.#isIdle) || clock.monotonic() - this.#lastSignMs <= limitMs)
        continue;
      this.#killedBecause = `was killed after ${limitMs} ms without a sign of life`;
      log.error({ pid: child.pid, limit_ms: limitMs }, "engine is stuck");
      child.kill();
      return;
    }
  }

  /** What the work of the child may take before it must be stuck: a run says nothing. */
  #patienceMs(): number {
    const { baseMs = 0, pixelMs = 0 } = this.#info?.patience ?? {};
    const pixels = [...this.#flights.values()].reduce((sum, flight) => sum + flight.pixels, 0);
    return baseMs + Math.ceil(pixels * pixelMs);
  }

  #onEvent(event: EngineEvent): void {
    this.#lastSignMs = this.#options.clock.monotonic();
    switch (event.kind) {
      case "ready":
        this.#info = event.info;
        this.#start = event.start;
        this.#enter("ready");
        return;
      case "failed":
        this.#modelFailure = describeModelFailure(this.#options.settings.modelDir, event);
        return;
      case "started":
        this.#onStarted(event.task);
        return;
      case "step":
        this.#onStep(event);
        return;
      case "latents":
        this.#flights.get(event.task)?.handlers.onLatents(event.task, event.done);
        return;
      case "lora-loaded":
        this.#endLoad(event.digest, {
          kind: "loaded",
          bytes: event.bytes,
          loadMs: event.loadMs,
        });
        return;
      case "lora-failed":
        this.#endLoad(event.digest, { kind: "failed", failure: event.failure });
        return;
      case "preview":
        this.#onPreview(event);
        return;
      case "no-preview":
        this.#endPreview(event.task);
        return;
      case "ended":
        if (event.end.kind === "finished") this.#crashes = 0;
        this.#endFlight(event.task, event.end);
        return;
    }
  }

  #onStarted(task: string): void {
    const flight = this.#flights.get(task);
    if (flight === undefined) return;
    flight.started = true;
    flight.handlers.onStarted(task);
  }

  #onPreview(preview: TaskPreview): void {
    this.#endPreview(preview.task)?.handlers.onPreview(preview);
  }

  #endPreview(task: string): Flight | undefined {
    const flight = this.#flights.get(task);
    if (flight !== undefined) flight.isPreviewing = false;
    return flight;
  }

  #onStep(event: StepEvent): void {
    const run = { stepMs: event.stepMs, batchTasks: event.steps.length };
    this.#options.onRun?.(run);
    for (const step of event.steps) this.#flights.get(step.task)?.handlers.onStep(step, run);
  }

  #onExit(exit: EngineExit): void {
    const isStarved = this.#isStarved(exit);
    const starved = `${exit.how}: the system had no memory left`;
    const why = isStarved ? starved : (this.#killedBecause ?? exit.how);
    this.#crashes += 1;
    this.#memoryLessons += isStarved ? 1 : 0;
    if (!this.#closing) {
      const fields = { why, crashes: this.#crashes, tasks: this.#flights.size };
      this.#options.log.warn(fields, "engine ended");
    }
    const begun = [...this.#flights.values()].filter(({ started }) => started);
    // Of several that were under way, nobody can say whose memory it was.
    const reason = isStarved && begun.length === 1 ? "OUT_OF_MEMORY" : "ENGINE_CRASHED";
    const failure = describeFailure(reason, `the engine process ${why}`);
    this.#enter("gone");
    for (const digest of this.#loads.keys()) this.#endLoad(digest, { kind: "crashed", failure });
    for (const [task, flight] of this.#flights) {
      // What the engine had not begun with cannot have brought it down.
      this.#endFlight(task, flight.started ? { kind: "failed", failure } : { kind: "refused" });
    }
  }

  /** Whether the system killed it, as it does without a word where memory runs out. */
  #isStarved({ isKilled }: EngineExit): boolean {
    if (!isKilled || this.#killedBecause !== undefined || this.#closing) return false;
    const kills = (this.#options.countMemoryKills ?? countMemoryKills)();
    return (kills ?? 0) > (this.#memoryKills ?? Number.POSITIVE_INFINITY);
  }

  #endLoad(digest: string, load: LoraLoad): void {
    const end = this.#loads.get(digest);
    this.#loads.delete(digest);
    end?.(load);
  }

  #endFlight(task: string, end: EngineEnd): void {
    const flight = this.#flights.get(task);
    this.#flights.delete(task);
    flight?.handlers.onEnd(task, end);
  }

  /** Whether the child owes no sign of life. */
  get #isIdle(): boolean {
    return this.#flights.size === 0 && this.#loads.size === 0;
  }

  #enter(state: "ready" | "gone"): void {
    this.#state = state;
    this.#bell.ring();
    this.#options.onChange?.();
  }
}
