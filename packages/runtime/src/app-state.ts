/** The life of an app in four states, each with one log line and one gauge value. */
import type { Clock } from "./clock.ts";
import { InvariantError } from "./invariant.ts";
import type { Log } from "./log.ts";
import { Gauge, type Registry } from "./metrics.ts";

export const appStates = ["starting", "ready", "stopping", "stopped"] as const;
export type AppState = (typeof appStates)[number];

const messages: Record<AppState, string> = {
  starting: "app is starting",
  ready: "app is ready",
  stopping: "app is stopping",
  stopped: "app has stopped",
};

interface Needs {
  readonly log: Log;
  readonly clock: Clock;
  readonly registry: Registry;
}

/** Moves forward only. */
export class AppStateMachine {
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #gauge: Gauge<"state">;
  readonly #startedMs: number;
  #state: AppState = "starting";

  constructor({ log, clock, registry }: Needs) {
    this.#log = log;
    this.#clock = clock;
    this.#startedMs = clock.monotonic();
    this.#gauge = new Gauge({
      name: "zfarm_app_state",
      help: "1 for the state the app is in, 0 for the others.",
      labelNames: ["state"],
      registers: [registry],
    });
    this.#announce({});
  }

  get state(): AppState {
    return this.#state;
  }

  /** Fields go into the log line. Throws InvariantError when asked to stand still or go back. */
  enter(state: AppState, fields: object = {}): void {
    if (appStates.indexOf(state) <= appStates.indexOf(this.#state)) {
      throw new InvariantError(`an app that is ${this.#state} cannot become ${state}`);
    }
    this.#state = state;
    this.#announce(fields);
  }

  #announce(fields: object): void {
    for (const state of appStates) this.#gauge.set({ state }, state === this.#state ? 1 : 0);
    const uptimeMs = Math.round(this.#clock.monotonic() - this.#startedMs);
    this.#log.info({ state: this.#state, uptime_ms: uptimeMs, ...fields }, messages[this.#state]);
  }
}
