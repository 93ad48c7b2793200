/**
 * The life of a process, or of a part that acts like one: resources are opened and closed in
 * reverse, loops are spawned and all end together, one failure stops everything.
 */
import { AppStateMachine } from "./app-state.ts";
import { type Clock, systemClock } from "./clock.ts";
import { InvariantError, invariant } from "./invariant.ts";
import type { Log } from "./log.ts";
import { Registry } from "./metrics.ts";
import { Readiness, type ReadinessCheck } from "./readiness.ts";
import { ResourceStack } from "./resource-stack.ts";
import { type Tracing, tracingOff } from "./tracing.ts";

/** What a wiring function builds with. */
export interface App {
  readonly name: string;
  readonly log: Log;
  readonly clock: Clock;
  readonly registry: Registry;
  readonly tracing: Tracing;
  /** Aborts when stopping begins; its reason is an AppStoppedError. */
  readonly stop: AbortSignal;
  /**
   * Waits for a resource and owns it from now on. Rejects with AppStoppedError when the stop
   * comes first; what opens later is closed all the same.
   */
  open<T>(
    name: string,
    opening: T | Promise<T>,
    close: (resource: T) => void | Promise<void>,
  ): Promise<T>;
  /**
   * Runs a loop that returns once `stop` aborts and its current work is safe. Returning before
   * that, or throwing, stops the app with exit code 1. No two running loops share a name.
   */
  spawn(name: string, run: (stop: AbortSignal) => Promise<void>): void;
  /** Adds a readiness condition. */
  ready(check: ReadinessCheck): void;
  /** Stops the app with exit code 1. */
  fail(error: unknown): void;
}

export interface RunningApp {
  /** Settles once wiring is done; rejects when it failed or the stop came first. */
  readonly ready: Promise<void>;
  /** 0: was asked to stop and drained. 1: something failed, or the drain was late. */
  readonly done: Promise<0 | 1>;
  readonly registry: Registry;
  /** Begins the stop, if nothing has yet, and waits for its end. */
  stop(): Promise<void>;
  /** Why the app is not ready; empty when it is. */
  problems(): Promise<string[]>;
}

export interface AppOptions {
  readonly name: string;
  readonly log: Log;
  /** Opens, spawns and returns; runs soon after `startApp` has returned. */
  readonly wire: (app: App) => Promise<void>;
  readonly clock?: Clock;
  readonly registry?: Registry;
  /** Absent: off. */
  readonly tracing?: Tracing;
  readonly stopWithinMs?: number;
}

/** Why an opening or a wait was cut short: the app is stopping, which is no failure. */
export class AppStoppedError extends Error {
  override readonly name = "AppStoppedError";
}

/** From the wish to stop to the end; a pod's grace period must be longer. */
export const stopWithinMsDefault = 25_000;

export function startApp(options: AppOptions): RunningApp {
  const app = new AppProcess(options);
  return {
    ready: app.wired,
    done: app.run(options.wire),
    registry: app.registry,
    stop: () => app.stopAndWait(),
    problems: () => app.problems(),
  };
}

class AppProcess implements App {
  readonly name: string;
  readonly log: Log;
  readonly clock: Clock;
  readonly registry: Registry;
  readonly tracing: Tracing;
  readonly stop: AbortSignal;
  readonly #stopping = new AbortController();
  readonly #stopWithinMs: number;
  readonly #state: AppStateMachine;
  readonly #readiness: Readiness;
  readonly #resources = new ResourceStack();
  readonly #loops = new Set<Promise<void>>();
  /** What a stop still waits for, in words. */
  readonly #pending = new Set<string>();
  readonly #wired = Promise.withResolvers<void>();
  readonly #done = Promise.withResolvers<0 | 1>();
  #failed = false;

  constructor({ name, log, clock = systemClock, registry = new Registry(), ...rest }: AppOptions) {
    this.name = name;
    this.log = log;
    this.clock = clock;
    this.registry = registry;
    this.tracing = rest.tracing ?? tracingOff;
    this.stop = this.#stopping.signal;
    this.#stopWithinMs = rest.stopWithinMs ?? stopWithinMsDefault;
    this.#state = new AppStateMachine(this);
    this.#readiness = new Readiness(clock);
    // `ready` is optional to watch: its failure also shows in the log and in the exit code.
    this.#wired.promise.catch(() => undefined);
  }

  get wired(): Promise<void> {
    return this.#wired.promise;
  }

  async open<T>(
    name: string,
    opening: T | Promise<T>,
    close: (resource: T) => void | Promise<void>,
  ): Promise<T> {
    const opened = Promise.resolve(opening);
    this.#resources.add(name, opened, close);
    try {
      const resource = await Promise.race([opened, this.#rejectOnStop()]);
      this.stop.throwIfAborted();
      return resource;
    } catch (error) {
      // An opening that the stop itself made fail is not a failure of the app.
      throw this.stop.aborted ? this.stop.reason : error;
    }
  }

  spawn(name: string, run: (stop: AbortSignal) => Promise<void>): void {
    invariant(!this.#pending.has(`loop ${name}`), `loop ${name} is spawned once`);
    this.#pending.add(`loop ${name}`);
    const loop = this.#runLoop(name, run).finally(() => {
      this.#pending.delete(`loop ${name}`);
      this.#loops.delete(loop);
    });
    this.#loops.add(loop);
  }

  ready(check: ReadinessCheck): void {
    this.#readiness.add(check);
  }

  fail(error: unknown): void {
    this.#failed = true;
    this.log.error({ error }, "app failed");
    this.#beginStop("failed");
  }

  async problems(): Promise<string[]> {
    if (this.#state.state !== "ready") return [`${this.name} is ${this.#state.state}`];
    return await this.#readiness.problems();
  }

  async stopAndWait(): Promise<void> {
    this.#beginStop("asked");
    await this.#done.promise;
  }

  async run(wire: (app: App) => Promise<void>): Promise<0 | 1> {
    const wiring = this.#wire(wire);
    await whenAborted(this.stop);
    const drained = new AbortController();
    const late = this.clock.sleep(this.#stopWithinMs, drained.signal).then(() => false);
    const inTime = await Promise.race([this.#drain(wiring).then(() => true), late]);
    drained.abort();
    if (!inTime) {
      this.#failed = true;
      const fields = { waiting_for: [...this.#pending], stop_within_ms: this.#stopWithinMs };
      this.log.error(fields, "app did not drain in time");
    }
    const exitCode = this.#failed ? 1 : 0;
    this.#state.enter("stopped", { exit_code: exitCode });
    this.#done.resolve(exitCode);
    return exitCode;
  }

  async #wire(wire: (app: App) => Promise<void>): Promise<void> {
    this.#pending.add("wiring");
    try {
      // The caller of `startApp` gets its RunningApp before the first line of wiring runs.
      await Promise.resolve();
      this.stop.throwIfAborted();
      await wire(this);
      this.stop.throwIfAborted();
      this.#state.enter("ready");
      this.#wired.resolve();
    } catch (error) {
      this.#wired.reject(error);
      if (!this.#isStop(error)) this.fail(error);
    } finally {
      this.#pending.delete("wiring");
    }
  }

  async #runLoop(name: string, run: (stop: AbortSignal) => Promise<void>): Promise<void> {
    if (this.stop.aborted) return;
    try {
      await run(this.stop);
      if (!this.stop.aborted) {
        this.fail(new InvariantError(`loop ${name} returned although nobody asked it to`));
      }
    } catch (error) {
      if (!this.#isStop(error)) this.fail(error);
    }
  }

  async #drain(wiring: Promise<void>): Promise<void> {
    await wiring;
    await Promise.all(this.#loops);
    let current: string | undefined;
    const done = (): void => void (current !== undefined && this.#pending.delete(current));
    await this.#resources.closeAll({
      closing: (name) => {
        done();
        current = `resource ${name}`;
        this.#pending.add(current);
      },
      failed: (name, error) => {
        this.#failed = true;
        this.log.error({ resource: name, error }, "resource failed to close");
      },
    });
    done();
  }

  #beginStop(why: string): void {
    if (this.stop.aborted) return;
    this.#state.enter("stopping", { why });
    this.#stopping.abort(new AppStoppedError(`${this.name} is stopping`));
  }

  /** Whether an error only says that the app stops: the signal's reason, or Node's own abort. */
  #isStop(error: unknown): boolean {
    if (!this.stop.aborted) return false;
    const name = error instanceof Error ? error.name : "";
    return error === this.stop.reason || name === "AbortError" || name === "AppStoppedError";
  }

  async #rejectOnStop(): Promise<never> {
    await whenAborted(this.stop);
    throw this.stop.reason;
  }
}

function whenAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
