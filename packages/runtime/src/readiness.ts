/** Decides whether an app is ready: every condition answers in time and names no problem. */
import type { Clock } from "./clock.ts";
import { Gauge, type Registry } from "./metrics.ts";

/** Undefined while all is well, else what is missing, in words. */
export type ReadinessCheck = () => string | undefined | Promise<string | undefined>;

/** A probe gives up after about a second; an answer that is later than this is no answer. */
const checkMsMax = 800;

export class Readiness {
  readonly #clock: Clock;
  readonly #checks: ReadinessCheck[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(check: ReadinessCheck): void {
    this.#checks.push(check);
  }

  async problems(): Promise<string[]> {
    const answers = await Promise.all(this.#checks.map((check) => this.#ask(check)));
    return answers.filter((answer) => answer !== undefined);
  }

  async #ask(check: ReadinessCheck): Promise<string | undefined> {
    const answered = new AbortController();
    const late = this.#clock
      .sleep(checkMsMax, answered.signal)
      .then(() => `a readiness check took longer than ${checkMsMax} ms`);
    try {
      return await Promise.race([Promise.resolve().then(check), late]);
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    } finally {
      answered.abort();
    }
  }
}

/** Shows the answer of /readyz as a metric, asked anew with each scrape. */
export function showReadiness(registry: Registry, problems: () => Promise<string[]>): void {
  new Gauge({
    name: "zfarm_app_ready",
    help: "1 where the process takes work, 0 where it waits for something; /readyz says for what.",
    registers: [registry],
    async collect() {
      this.set((await problems()).length === 0 ? 1 : 0);
    },
  });
}
