/**
 * Clients of a farm that is being broken: they submit, insist as a careful client does, watch
 * until the end, and write down everything they did and heard.
 */
import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { FarmClient, Spec } from "@zfarm/client";
import {
  defaultProject,
  errorTable,
  FarmError,
  type ImageSpec,
  type JobId,
  jobIdOfRequest,
  jobName,
  parseJobName,
  TaskState,
  type WatchJobResponse,
} from "@zfarm/contract";
import { pictureSha256 } from "../picture.ts";
import type { Random } from "../random.ts";
import type { EndState, History } from "./history.ts";

export interface LoadOptions {
  readonly client: FarmClient;
  readonly history: History;
  readonly random: Random;
  /** Clients that work at the same time. */
  readonly lanes: number;
  /** Tasks to ask for; the load ends when they ended. */
  readonly tasks: number;
  readonly tasksPerJobMax?: number;
  /** Share of jobs that are a single render whose caller waits for the bytes. */
  readonly renderShare?: number;
  /** Aborts: nothing new is asked for; what was accepted is still watched to its end. */
  readonly enough?: AbortSignal;
  /** Aborts: the clients give up, and what has not ended is lost. */
  readonly stop: AbortSignal;
}

export interface LoadReport {
  readonly tasks: number;
  readonly jobs: number;
  /** How often which error reached a client. */
  readonly errors: Readonly<Record<string, number>>;
}

const createMs = 30_000;
const renderMs = 120_000;
const againMs = 200;
const shapes = [
  { width: 64, height: 64, steps: 2 },
  { width: 96, height: 64, steps: 3 },
] as const;

export async function runLoad(options: LoadOptions): Promise<LoadReport> {
  const load = new Load(options);
  await Promise.all(Array.from({ length: options.lanes }, (_, lane) => load.runLane(lane)));
  return { tasks: load.tasks, jobs: load.jobs, errors: load.errors };
}

/** A spec with every field set, so that its picture is known before it is drawn. */
export function createSpec(random: Random, prompt = "a red house"): ImageSpec & { seed: bigint } {
  return { prompt, ...random.pick(shapes), seed: BigInt(random.below(2 ** 31)) };
}

class Load {
  readonly #options: LoadOptions;
  readonly errors: Record<string, number> = {};
  tasks = 0;
  jobs = 0;

  constructor(options: LoadOptions) {
    this.#options = options;
  }

  async runLane(lane: number): Promise<void> {
    const { random, tasks, tasksPerJobMax = 20, renderShare = 0.3, enough, stop } = this.#options;
    const draws = random.fork(`lane ${lane}`);
    for (let count = 0; this.tasks < tasks; count += 1) {
      if (stop.aborted || enough?.aborted === true) return;
      const requestId = `lane-${lane}-${count}-${draws.below(2 ** 31)}`;
      const isRender = draws.next() < renderShare;
      const size = isRender ? 1 : Math.min(draws.between(1, tasksPerJobMax), tasks - this.tasks);
      this.tasks += size;
      this.jobs += 1;
      const specs = Array.from({ length: size }, () => createSpec(draws));
      if (isRender) await this.#render(requestId, specs[0] ?? createSpec(draws));
      else await this.#submitAndWatch(requestId, specs);
    }
  }

  async #submitAndWatch(requestId: string, specs: readonly ImageSpec[]): Promise<void> {
    const job = this.#invoke(requestId, specs);
    if (await this.#create(job, { requestId, images: specs })) await this.#watch(job);
  }

  /** Insists under the same request id until the farm answers. */
  async #create(job: JobId, request: { requestId: string; images: readonly Spec[] }) {
    const { client, history, stop } = this.#options;
    while (!stop.aborted) {
      try {
        const made = await client.createJob({ ...request, timeoutMs: createMs, signal: stop });
        const returned = parseJobName(made.name)?.job ?? made.name;
        history.entries.push({ atMs: history.now(), kind: "submit-ok", job, returned });
        return true;
      } catch (thrown) {
        const { code } = this.#count(thrown);
        const isNo = isRefusal(code);
        const kind = isNo ? "submit-refused" : "submit-unknown";
        history.entries.push({ atMs: history.now(), kind, job, code });
        if (isNo) return false;
        await sleep(againMs);
      }
    }
    return false;
  }

  /** One watcher, however often its stream breaks. */
  async #watch(job: JobId): Promise<void> {
    const { stop } = this.#options;
    const state = { resumeToken: "", hasEnded: false };
    while (!stop.aborted && !state.hasEnded) {
      try {
        await this.#watchOnce(job, state);
        if (!state.hasEnded) this.#count(new FarmError("INTERNAL", "a watch ended early"));
      } catch (thrown) {
        this.#count(thrown);
        await sleep(againMs);
      }
    }
  }

  async #watchOnce(job: JobId, state: { resumeToken: string; hasEnded: boolean }): Promise<void> {
    const { client, stop } = this.#options;
    const name = jobName({ project: defaultProject, job });
    const options = { resumeToken: state.resumeToken, signal: stop };
    for await (const event of client.watchJob(name, options)) {
      state.resumeToken = event.resumeToken || state.resumeToken;
      state.hasEnded = this.#hear(`watch ${job}`, job, event) || state.hasEnded;
    }
  }

  /** Writes an event down; true where it was the last one. */
  #hear(watch: string, job: JobId, { event }: WatchJobResponse): boolean {
    const { history } = this.#options;
    const atMs = history.now();
    if (event?.$case === "jobEnded") {
      history.entries.push({ atMs, kind: "job-seen", watch, job });
      return true;
    }
    if (event?.$case !== "taskEnded") return false;
    const { name, state, image } = event.value;
    const index = Number(name.split("/").at(-1));
    const sha256 = image?.sha256 ?? "";
    const seen = { watch, job, index, state: endStateOf(state), sha256 };
    history.entries.push({ atMs, kind: "task-seen", ...seen });
    return false;
  }

  /** A caller that waits for the bytes; when its connection breaks it asks for a new picture. */
  async #render(requestIdFirst: string, spec: ImageSpec): Promise<void> {
    const { client, history, stop } = this.#options;
    for (let count = 0; !stop.aborted; count += 1) {
      const requestId = `${requestIdFirst}-${count}`;
      const job = this.#invoke(requestId, [spec]);
      try {
        const options = { requestId, includeData: true, timeoutMs: renderMs, signal: stop };
        const { image } = await client.renderImage(spec, options);
        const sha256 = createHash("sha256")
          .update(image?.data ?? "")
          .digest("hex");
        const atMs = history.now();
        const seen = { watch: `render ${job}`, job, index: 0, sha256 };
        history.entries.push({ atMs, kind: "submit-ok", job, returned: job });
        history.entries.push({ atMs, kind: "task-seen", state: "succeeded", ...seen });
        return;
      } catch (thrown) {
        const { code } = this.#count(thrown);
        // The gateway takes a connection that breaks for a caller who left.
        history.entries.push({ atMs: history.now(), kind: "cancel-invoked", job });
        history.entries.push({ atMs: history.now(), kind: "submit-unknown", job, code });
        await sleep(againMs);
      }
    }
  }

  #invoke(requestId: string, specs: readonly ImageSpec[]): JobId {
    const { history } = this.#options;
    const job = jobIdOfRequest(defaultProject, requestId);
    const tasks = specs.map((spec, index) => ({ index, sha256: pictureSha256(spec) }));
    history.entries.push({ atMs: history.now(), kind: "submit-invoked", job, tasks });
    return job;
  }

  #count(thrown: unknown): FarmError {
    const error = FarmError.from(thrown);
    const name = this.#options.stop.aborted ? "STOPPED" : error.code;
    this.errors[name] = (this.errors[name] ?? 0) + 1;
    return error;
  }
}

/** Whether the farm has promised that nothing of the request was kept. */
export function isRefusal(code: FarmError["code"]): boolean {
  return code === "QUEUE_FULL" || (!errorTable[code].retry && code !== "DEADLINE_EXCEEDED");
}

function endStateOf(state: TaskState): EndState {
  switch (state) {
    case TaskState.SUCCEEDED:
      return "succeeded";
    case TaskState.CANCELED:
      return "canceled";
    case TaskState.EXPIRED:
      return "expired";
    default:
      return "failed";
  }
}
