/** What a client of a farm can ask for. */
import type {
  ExplainJobResponse,
  ExplainTaskResponse,
  Guidance,
  ImageSpec,
  Job,
  RenderImageResponse,
  Scheduling,
  StreamRenderResponse,
  Task,
  WatchJobResponse,
} from "@zfarm/contract";
import type { CallOptions } from "./call-options.ts";
import type { FleetClient } from "./fleet-client.ts";
import type { LoraClient } from "./lora-client.ts";

/** A picture to draw: the prompt, and whatever is not to be the pool's default. */
export type Spec = Pick<ImageSpec, "prompt"> & {
  readonly [Field in Exclude<keyof ImageSpec, "prompt" | "guidance">]?:
    | ImageSpec[Field]
    | undefined;
} & { readonly guidance?: GuidanceWish | undefined };

/** Guidance with its scale, and whatever is not to be its default. */
export type GuidanceWish = Pick<Guidance, "scale"> & {
  readonly [Field in Exclude<keyof Guidance, "scale">]?: Guidance[Field] | undefined;
};

/** How tasks compete: what is said, the rest by default. */
export type SchedulingChanges = {
  readonly [Field in keyof Scheduling]?: Scheduling[Field] | undefined;
};

interface SubmitOptions extends CallOptions {
  /** `projects/{project}`; absent: the default project. */
  readonly parent?: string;
  readonly pool?: string;
  /** Absent: a fresh one, so that the client's own retries are harmless. */
  readonly requestId?: string;
  readonly scheduling?: SchedulingChanges;
}

export interface RenderOptions extends SubmitOptions {
  /** Puts the bytes into the answer; absent: only a link. */
  readonly includeData?: boolean;
}

export interface StreamOptions extends RenderOptions {
  /** Asks for small pictures of where it is heading, as `preview` events. */
  readonly previews?: boolean;
}

export interface CreateJobOptions extends SubmitOptions {
  readonly images: readonly Spec[];
  readonly displayName?: string;
  /** Checks everything, creates nothing. */
  readonly validateOnly?: boolean;
}

export interface ListTasksOptions extends CallOptions {
  readonly pageSize?: number;
}

export interface RetryJobOptions extends CallOptions {
  /** Absent: a fresh one, so that the client's own retries are harmless. */
  readonly requestId?: string;
}

export interface UpdateJobOptions extends CallOptions {
  /** Of the job as it was seen: CONFLICT where it has changed since. Absent: changes it anyway. */
  readonly etag?: string;
}

export interface WatchOptions extends CallOptions {
  /** Goes on after the event that carried it. */
  readonly resumeToken?: string;
  /** Asks for small pictures of where tasks are heading, as `preview` events. */
  readonly previews?: boolean;
}

/**
 * Failures are FarmErrors with the farm's code and violations; FARM_UNREACHABLE where nobody
 * answered. An aborted signal rejects with its own reason.
 */
export interface FarmClient extends FleetClient {
  /** Renders and waits. Aborting it cancels the task. */
  renderImage(spec: Spec, options?: RenderOptions): Promise<RenderImageResponse>;
  /** Renders and reports; the last event is `completed`. Leaving the loop cancels the task. */
  streamRender(spec: Spec, options?: StreamOptions): AsyncIterable<StreamRenderResponse>;
  createJob(options: CreateJobOptions): Promise<Job>;
  getJob(name: string, options?: CallOptions): Promise<Job>;
  /** All tasks by index, page after page. */
  listTasks(name: string, options?: ListTasksOptions): AsyncIterable<Task>;
  /** Every outcome once and in order, across reconnects; the last event is `jobEnded`. */
  watchJob(name: string, options?: WatchOptions): AsyncIterable<WatchJobResponse>;
  /** Cancels what has not ended. */
  cancelJob(name: string, options?: CallOptions): Promise<Job>;
  /** No task of it starts any more; running ones finish. */
  pauseJob(name: string, options?: CallOptions): Promise<Job>;
  resumeJob(name: string, options?: CallOptions): Promise<Job>;
  /** Lets the tasks behind the sample run. */
  approveJob(name: string, options?: CallOptions): Promise<Job>;
  /** A new job of the failed and expired tasks, with the same pictures. */
  retryJob(name: string, options?: RetryJobOptions): Promise<Job>;
  /** Changes the fields that are there. */
  updateJob(name: string, changes: SchedulingChanges, options?: UpdateJobOptions): Promise<Job>;
  /** Why its waiting tasks wait, what would release them, and when the first would start. */
  explainJob(name: string, options?: CallOptions): Promise<ExplainJobResponse>;
  explainTask(name: string, options?: CallOptions): Promise<ExplainTaskResponse>;
  /** The adapters of projects: uploaded once, named in pictures. */
  readonly loras: LoraClient;
  /** Ends the connection and every call on it. */
  close(): void;
}
