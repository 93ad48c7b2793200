/** What a row works with: a farm, jobs that are watched and recorded, and words for failing. */
import { setTimeout as sleep } from "node:timers/promises";
import type { FarmClient } from "@zfarm/client";
import { defaultProject, type ImageSpec, type JobId, jobName } from "@zfarm/contract";
import type { ChaosFarm, ProcessChange } from "../farm/chaos-farm.ts";
import type { ManagedProcess } from "../farm/managed-process.ts";
import { waitUntil } from "../farm/wait-until.ts";
import { createSpec, type LoadOptions, type LoadReport, runLoad } from "../history/load.ts";
import { RecordingClient } from "../history/recording-client.ts";
import { taskOfAttempt } from "../history/recovery.ts";
import type { Random } from "../random.ts";

export interface JobWish {
  readonly count?: number;
  readonly prompt?: string;
  readonly pool?: string;
  readonly requestId?: string;
}

export interface StartedJob {
  readonly job: JobId;
  readonly requestId: string;
  readonly images: readonly ImageSpec[];
  /** Resolves when the watcher has seen the job end. */
  readonly ended: Promise<void>;
}

interface Begin {
  readonly atMs: number;
  readonly worker: string;
  readonly attempt: string;
}

interface ContextParts {
  readonly farm: ChaosFarm;
  readonly id: string;
  readonly random: Random;
  readonly stop: AbortSignal;
  readonly isTimed: boolean;
}

const beginWithinMs = 30_000;

export class RowContext {
  readonly farm: ChaosFarm;
  readonly id: string;
  readonly random: Random;
  readonly facts: Record<string, number | string> = {};
  /** Whether the wall clock is judged. */
  readonly #isTimed: boolean;
  /** Aborts when the row has taken too long. */
  readonly stop: AbortSignal;
  readonly clients: RecordingClient;
  readonly #client: FarmClient;
  readonly #extras: ManagedProcess[] = [];
  readonly #undo: (() => Promise<void> | void)[] = [];
  #jobs = 0;

  constructor(parts: ContextParts) {
    this.farm = parts.farm;
    this.id = parts.id;
    this.random = parts.random;
    this.stop = parts.stop;
    this.#isTimed = parts.isTimed;
    this.#client = parts.farm.client();
    const { history } = parts.farm;
    this.clients = new RecordingClient({ client: this.#client, history, stop: this.stop });
  }

  get client(): FarmClient {
    return this.#client;
  }

  check(holds: boolean, promise: string): void {
    if (!holds) throw new Error(promise);
  }

  /** Holds where the run is timed; a busy machine says nothing of how fast a farm is. */
  checkWithin(ms: number, boundMs: number, promise: string): void {
    if (this.#isTimed) this.check(ms <= boundMs, promise);
  }

  note(fact: string, value: number | string): void {
    this.facts[fact] = typeof value === "number" ? Math.round(value) : value;
  }

  wait(ms: number): Promise<void> {
    return sleep(ms);
  }

  until<Value>(
    what: string,
    withinMs: number,
    look: () => Promise<Value | undefined | false> | Value | undefined | false,
  ): Promise<Value> {
    return waitUntil(`${this.id}: ${what}`, withinMs, look);
  }

  /** Whatever a row changes is taken back at its end, the newest first, even if the row failed. */
  undo(back: () => Promise<void> | void): void {
    this.#undo.push(back);
  }

  /** A request that is about to be made, recorded as such. */
  prepare({ count = 1, prompt, pool = "", requestId }: JobWish = {}) {
    this.#jobs += 1;
    const id = requestId ?? `${this.id}-${this.#jobs}-${this.random.below(2 ** 31)}`;
    const images = Array.from({ length: count }, () => createSpec(this.random, prompt));
    return { job: this.clients.invoke(id, images), request: { requestId: id, images, pool } };
  }

  /** Resolves once the farm said OK. */
  async submit(wish: JobWish = {}): Promise<StartedJob> {
    const { job, request } = this.prepare(wish);
    this.check(await this.clients.submit(job, request), "the job is accepted");
    const ended = this.clients.watch(job).then((hasEnded) => {
      this.check(hasEnded, "a watcher sees the job end");
    });
    // A row that fails before it waits must fail with its own words.
    ended.catch(() => undefined);
    return { job, requestId: request.requestId, images: request.images, ended };
  }

  /** Ordinary load beside the fault, all of which must end while the row lasts. */
  async load(tasks: number, options: Partial<LoadOptions> = {}): Promise<LoadReport> {
    const { history } = this.farm;
    this.#jobs += 1;
    const report = await runLoad({
      client: this.#client,
      history,
      random: this.random.fork(`load ${this.#jobs}`),
      lanes: 6,
      tasks,
      stop: this.stop,
      ...options,
    });
    this.check(report.errors["STOPPED"] === undefined, "every client sees its tasks end in time");
    return report;
  }

  /** Attempts that engines began with at tasks of a job. */
  begins(job: JobId): Begin[] {
    return this.farm.history.events.flatMap((event) => {
      const isOne = event.kind === "begin" && event.attempt.startsWith(`default.${job}.`);
      return isOne ? [event] : [];
    });
  }

  /** Waits for the first `count` attempts at a job; gives the last of them. */
  begun(job: JobId, count = 1): Promise<Begin> {
    return this.until(`attempt ${count} of ${job} begins`, beginWithinMs, () => {
      return this.begins(job)[count - 1];
    });
  }

  /** Attempts beyond the first one of each task of a job. */
  repeats(job: JobId): number {
    const begins = this.begins(job);
    return begins.length - new Set(begins.map(({ attempt }) => taskOfAttempt(attempt))).size;
  }

  /** Waits until a worker froze at the point it was told to. */
  halted(worker: string): Promise<true> {
    return this.until(`${worker} halts`, beginWithinMs, () => {
      const { events } = this.farm.history;
      return events.some((event) => event.kind === "halt" && event.worker === worker);
    });
  }

  /** Every task of the job must have ended with this attempt. */
  async checkAttempts(job: JobId, wanted: number): Promise<void> {
    const name = jobName({ project: defaultProject, job });
    const found = await Array.fromAsync(this.#client.listTasks(name), ({ attempt }) => attempt);
    const isGood = found.length > 0 && found.every((attempt) => attempt === wanted);
    this.check(isGood, `the outcomes name attempts ${found.join(", ")}, not ${wanted}`);
  }

  worker(name: string): ManagedProcess {
    const found = [...this.#extras, ...this.farm.workers].find((each) => each.name === name);
    if (found === undefined) throw new Error(`no worker ${name}`);
    return found;
  }

  /** A worker of this row alone, in a pool of its own unless said otherwise; stopped at its end. */
  async addWorker(
    name: string,
    { ready = true, ...change }: ProcessChange & { readonly ready?: boolean } = {},
  ): Promise<ManagedProcess> {
    const env = { WORKER_POOL: this.pool, ...change.env };
    const worker = this.farm.createWorker(name, { ...change, env });
    this.#extras.push(worker);
    this.undo(() => worker.stop());
    worker.start();
    if (ready) await worker.ready();
    return worker;
  }

  /** The pool of this row's own workers. */
  get pool(): string {
    return `pool-${this.id.toLowerCase()}`;
  }

  async close(): Promise<void> {
    for (const back of this.#undo.splice(0).reverse()) await back();
    this.#client.close();
  }
}
