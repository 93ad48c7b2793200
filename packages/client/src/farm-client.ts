/** What a client of a farm can ask for. */
import type {
  ImageSpec,
  Job,
  RenderImageResponse,
  StreamRenderResponse,
  Task,
  WatchJobResponse,
  Worker,
} from "@zfarm/contract";

/** A picture to draw: the prompt, and whatever is not to be the pool's default. */
export type Spec = Pick<ImageSpec, "prompt"> & {
  readonly [Field in Exclude<keyof ImageSpec, "prompt">]?: ImageSpec[Field] | undefined;
};

export interface CallOptions {
  /** Ends the call; its promise rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** For the whole call, retries included. Absent: the farm's default for the method. */
  readonly timeoutMs?: number;
}

interface SubmitOptions extends CallOptions {
  /** `projects/{project}`; absent: the default project. */
  readonly parent?: string;
  readonly pool?: string;
  /** Absent: a fresh one, so that the client's own retries are harmless. */
  readonly requestId?: string;
}

export interface RenderOptions extends SubmitOptions {
  /** Puts the bytes into the answer; absent: only a link. */
  readonly includeData?: boolean;
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

export interface WatchOptions extends CallOptions {
  /** Goes on after the event that carried it. */
  readonly resumeToken?: string;
}

/**
 * Failures are FarmErrors with the farm's code and violations; FARM_UNREACHABLE where nobody
 * answered. An aborted signal rejects with its own reason.
 */
export interface FarmClient {
  /** Renders and waits. Aborting it cancels the task. */
  renderImage(spec: Spec, options?: RenderOptions): Promise<RenderImageResponse>;
  /** Renders and reports; the last event is `completed`. Leaving the loop cancels the task. */
  streamRender(spec: Spec, options?: RenderOptions): AsyncIterable<StreamRenderResponse>;
  createJob(options: CreateJobOptions): Promise<Job>;
  getJob(name: string, options?: CallOptions): Promise<Job>;
  /** All tasks by index, page after page. */
  listTasks(name: string, options?: ListTasksOptions): AsyncIterable<Task>;
  /** Every outcome once and in order, across reconnects; the last event is `jobEnded`. */
  watchJob(name: string, options?: WatchOptions): AsyncIterable<WatchJobResponse>;
  /** Cancels what has not ended. */
  cancelJob(name: string, options?: CallOptions): Promise<Job>;
  listWorkers(options?: CallOptions & { readonly pool?: string }): Promise<Worker[]>;
  /** Ends the connection and every call on it. */
  close(): void;
}
