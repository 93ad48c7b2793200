/**
 * A client that insists as a careful one does and writes down everything it did and heard. Whether
 * a request whose answer was lost took effect is left open: that is for the checker.
 */
import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { CreateJobOptions, FarmClient } from "@zfarm/client";
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
import type { EndState, History } from "./history.ts";

export interface RecordingClientNeeds {
  readonly client: FarmClient;
  readonly history: History;
  /** Aborts: the client gives up. */
  readonly stop: AbortSignal;
}

const createMs = 30_000;
const renderMs = 120_000;
const againMs = 200;

export class RecordingClient {
  readonly #needs: RecordingClientNeeds;
  /** How often which error reached it; STOPPED where it gave up. */
  readonly errors: Record<string, number> = {};

  constructor(needs: RecordingClientNeeds) {
    this.#needs = needs;
  }

  /** Writes down that a request is about to be made; gives the id that its job will have. */
  invoke(requestId: string, images: readonly ImageSpec[]): JobId {
    const { history } = this.#needs;
    const job = jobIdOfRequest(defaultProject, requestId);
    const tasks = images.map((spec, index) => ({ index, sha256: pictureSha256(spec) }));
    history.entries.push({ atMs: history.now(), kind: "submit-invoked", job, tasks });
    return job;
  }

  /** Insists under the same request id until the farm says yes (true) or no. */
  async submit(job: JobId, request: CreateJobOptions): Promise<boolean> {
    while (!this.#needs.stop.aborted) {
      const answer = await this.submitOnce(job, request);
      if (answer !== "unknown") return answer === "ok";
      await sleep(againMs);
    }
    return false;
  }

  async submitOnce(job: JobId, request: CreateJobOptions): Promise<"ok" | "refused" | "unknown"> {
    const { client, history, stop } = this.#needs;
    try {
      const made = await client.createJob({ timeoutMs: createMs, signal: stop, ...request });
      const returned = parseJobName(made.name)?.job ?? made.name;
      history.entries.push({ atMs: history.now(), kind: "submit-ok", job, returned });
      return "ok";
    } catch (thrown) {
      const { code } = this.#count(thrown);
      const answer = isRefusal(code) ? "refused" : "unknown";
      history.entries.push({ atMs: history.now(), kind: `submit-${answer}`, job, code });
      return answer;
    }
  }

  /** One watcher, however often its stream breaks; true where it saw the job end. */
  async watch(job: JobId): Promise<boolean> {
    const { stop, history } = this.#needs;
    const state = { name: history.name(`watch of ${job}`), resumeToken: "", hasEnded: false };
    while (!stop.aborted && !state.hasEnded) {
      try {
        await this.#watchOnce(job, state);
        if (!state.hasEnded) this.#count(new FarmError("INTERNAL", "a watch ended early"));
      } catch (thrown) {
        this.#count(thrown);
        await sleep(againMs);
      }
    }
    return state.hasEnded;
  }

  /** Waits for one picture; false where it did not come. */
  async render(requestId: string, spec: ImageSpec): Promise<boolean> {
    const { client, history, stop } = this.#needs;
    const job = this.invoke(requestId, [spec]);
    try {
      const options = { requestId, includeData: true, timeoutMs: renderMs, signal: stop };
      const { image } = await client.renderImage(spec, options);
      const sha256 = createHash("sha256")
        .update(image?.data ?? "")
        .digest("hex");
      const seen = { watch: `render of ${job}`, job, index: 0, sha256 };
      const atMs = history.now();
      history.entries.push({ atMs, kind: "submit-ok", job, returned: job });
      history.entries.push({ atMs, kind: "task-seen", state: "succeeded", ...seen });
      return true;
    } catch (thrown) {
      const { code } = this.#count(thrown);
      // The gateway takes a connection that breaks for a caller who left.
      history.entries.push({ atMs: history.now(), kind: "cancel-invoked", job });
      history.entries.push({ atMs: history.now(), kind: "submit-unknown", job, code });
      return false;
    }
  }

  async cancel(job: JobId): Promise<void> {
    const { client, history, stop } = this.#needs;
    history.entries.push({ atMs: history.now(), kind: "cancel-invoked", job });
    await client.cancelJob(jobName({ project: defaultProject, job }), { signal: stop });
    history.entries.push({ atMs: history.now(), kind: "cancel-ok", job });
  }

  async #watchOnce(
    job: JobId,
    state: { readonly name: string; resumeToken: string; hasEnded: boolean },
  ): Promise<void> {
    const { client, stop } = this.#needs;
    const name = jobName({ project: defaultProject, job });
    const options = { resumeToken: state.resumeToken, signal: stop };
    for await (const event of client.watchJob(name, options)) {
      state.resumeToken = event.resumeToken || state.resumeToken;
      state.hasEnded = this.#hear(state.name, job, event) || state.hasEnded;
    }
  }

  /** Writes an event down; true where it was the last one. */
  #hear(watch: string, job: JobId, { event }: WatchJobResponse): boolean {
    const { history } = this.#needs;
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

  #count(thrown: unknown): FarmError {
    const error = FarmError.from(thrown);
    const name = this.#needs.stop.aborted ? "STOPPED" : error.code;
    this.errors[name] = (this.errors[name] ?? 0) + 1;
    return error;
  }
}

/** Whether the farm has promised that nothing of the request was kept. */
export function isRefusal(code: FarmError["code"]): boolean {
  if (code === "QUEUE_FULL" || code === "QUOTA_EXCEEDED") return true;
  return !errorTable[code].retry && code !== "DEADLINE_EXCEEDED";
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
