/** The client over one gRPC channel. Every create carries a request id, so retries are harmless. */
import { randomUUID } from "node:crypto";
import { type ChannelCredentials, type ChannelOptions, credentials } from "@grpc/grpc-js";
import {
  type ApproveJobResponse,
  type CancelJobResponse,
  type CreateJobResponse,
  type ExplainJobResponse,
  type ExplainTaskResponse,
  FleetServiceClient,
  type GetJobResponse,
  type Job,
  JobServiceClient,
  type ListTasksResponse,
  LoraServiceClient,
  limits,
  type PauseJobResponse,
  type RenderImageResponse,
  RenderServiceClient,
  type ResumeJobResponse,
  type RetryJobResponse,
  type StreamRenderResponse,
  type Task,
  type UpdateJobResponse,
  type WatchJobResponse,
} from "@zfarm/contract";
import type { CallOptions } from "./call-options.ts";
import { callStream, callUnary } from "./calls.ts";
import type {
  CreateJobOptions,
  FarmClient,
  ListTasksOptions,
  RenderOptions,
  RetryJobOptions,
  SchedulingChanges,
  Spec,
  StreamOptions,
  UpdateJobOptions,
  WatchOptions,
} from "./farm-client.ts";
import { GrpcFleetClient } from "./grpc-fleet-client.ts";
import { GrpcLoraClient } from "./grpc-lora-client.ts";
import { present } from "./present.ts";
import { RenderIds } from "./render-ids.ts";
import { imageOf, renderRequest, schedulingOf, updateRequest } from "./requests.ts";
import { boundsOf, failureOf, retried } from "./retried.ts";
import { Retry } from "./retry.ts";
import { type CurrentTrace, traceInterceptor } from "./trace-interceptor.ts";

export interface FarmOptions {
  /** `host:port`. */
  readonly address: string;
  /** Absent: plaintext. */
  readonly credentials?: ChannelCredentials;
  /**
   * W3C traceparent of what the caller is doing, asked for with each call: pictures go on in that
   * trace. Undefined, or one that is none: the farm begins a trace, if it keeps any.
   */
  readonly traceparent?: CurrentTrace;
}

/** Connects lazily: the first call that cannot reach the farm says so. */
export function connectFarm({ address, traceparent, ...options }: FarmOptions): FarmClient {
  const secured = options.credentials ?? credentials.createInsecure();
  const traced = traceparent && { interceptors: [traceInterceptor(traceparent)] };
  const render = new RenderServiceClient(address, secured, { ...channelOptions, ...traced });
  const shared = { channelOverride: render.getChannel(), ...traced };
  return new GrpcFarmClient({
    render,
    job: new JobServiceClient(address, secured, shared),
    fleet: new FleetServiceClient(address, secured, shared),
    lora: new LoraServiceClient(address, secured, shared),
  });
}

const channelOptions: ChannelOptions = {
  // The largest inline picture and everything said about it.
  "grpc.max_receive_message_length": limits.inlineImageBytesMax * 2,
  // Finds out that the other end is gone while a watch is silent.
  "grpc.keepalive_time_ms": limits.keepaliveMs,
  "grpc.keepalive_timeout_ms": limits.keepaliveTimeoutMs,
  "grpc.initial_reconnect_backoff_ms": limits.clientBackoffMsFirst,
  "grpc.max_reconnect_backoff_ms": limits.clientBackoffMsMax,
  // The farm's own rules decide what is repeated.
  "grpc.enable_retries": 0,
};

interface Services {
  readonly render: RenderServiceClient;
  readonly job: JobServiceClient;
  readonly fleet: FleetServiceClient;
  readonly lora: LoraServiceClient;
}

class GrpcFarmClient extends GrpcFleetClient implements FarmClient {
  readonly loras: GrpcLoraClient;
  readonly #services: Services;

  constructor(services: Services) {
    super(services.fleet);
    this.#services = services;
    this.loras = new GrpcLoraClient(services.lora);
  }

  async renderImage(spec: Spec, options: RenderOptions = {}): Promise<RenderImageResponse> {
    const bounds = boundsOf(options);
    const retry = new Retry(bounds);
    const ids = new RenderIds(options.requestId);
    for (;;) {
      const request = renderRequest(spec, options, ids.current);
      try {
        const { render } = this.#services;
        return await callUnary<RenderImageResponse>(
          (metadata, grpc, done) => render.renderImage(request, metadata, grpc, done),
          bounds,
        );
      } catch (thrown) {
        await ids.orRetry(failureOf(thrown, bounds), retry);
      }
    }
  }

  async *streamRender(
    spec: Spec,
    options: StreamOptions = {},
  ): AsyncGenerator<StreamRenderResponse, void> {
    const bounds = boundsOf(options);
    const retry = new Retry(bounds);
    const ids = new RenderIds(options.requestId);
    for (;;) {
      const { previews } = options;
      const request = { ...renderRequest(spec, options, ids.current), previews };
      try {
        const { render } = this.#services;
        yield* callStream((metadata, grpc) => render.streamRender(request, metadata, grpc), bounds);
        return;
      } catch (thrown) {
        await ids.orRetry(failureOf(thrown, bounds), retry);
      }
    }
  }

  async createJob(options: CreateJobOptions): Promise<Job> {
    const request = {
      parent: options.parent ?? "",
      requestId: options.requestId ?? randomUUID(),
      pool: options.pool ?? "",
      displayName: options.displayName ?? "",
      images: options.images.map(imageOf),
      validateOnly: options.validateOnly ?? false,
      scheduling: schedulingOf(options.scheduling),
    };
    const { job } = this.#services;
    const response = await retried<CreateJobResponse>(options, (metadata, grpc, done) =>
      job.createJob(request, metadata, grpc, done),
    );
    return present(response.job);
  }

  async getJob(name: string, options: CallOptions = {}): Promise<Job> {
    const { job } = this.#services;
    const response = await retried<GetJobResponse>(options, (metadata, grpc, done) =>
      job.getJob({ name }, metadata, grpc, done),
    );
    return present(response.job);
  }

  async *listTasks(name: string, options: ListTasksOptions = {}): AsyncGenerator<Task, void> {
    const { job } = this.#services;
    let pageToken = "";
    do {
      const request = { parent: name, pageSize: options.pageSize ?? 0, pageToken };
      const page = await retried<ListTasksResponse>(options, (metadata, grpc, done) =>
        job.listTasks(request, metadata, grpc, done),
      );
      yield* page.tasks;
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
  }

  async *watchJob(
    name: string,
    options: WatchOptions = {},
  ): AsyncGenerator<WatchJobResponse, void> {
    const bounds = boundsOf(options);
    const retry = new Retry(bounds);
    const { job } = this.#services;
    let resumeToken = options.resumeToken ?? "";
    let ended = false;
    for (;;) {
      const { previews } = options;
      const request = { name, resumeToken, previews, takeSeveral: true };
      try {
        const answers = callStream(
          (metadata, grpc) => job.watchJob(request, metadata, grpc),
          bounds,
        );
        for await (const event of eventsOf(answers)) {
          retry.reset();
          resumeToken = event.resumeToken || resumeToken;
          ended = event.event?.$case === "jobEnded";
          yield event;
        }
        return;
      } catch (thrown) {
        // The connection broke after the last event: there is nothing to resume.
        if (ended) return;
        await retry.afterFailure(failureOf(thrown, bounds));
      }
    }
  }

  async cancelJob(name: string, options: CallOptions = {}): Promise<Job> {
    const { job } = this.#services;
    const response = await retried<CancelJobResponse>(options, (metadata, grpc, done) =>
      job.cancelJob({ name }, metadata, grpc, done),
    );
    return present(response.job);
  }

  async pauseJob(name: string, options: CallOptions = {}): Promise<Job> {
    const { job } = this.#services;
    const response = await retried<PauseJobResponse>(options, (metadata, grpc, done) =>
      job.pauseJob({ name }, metadata, grpc, done),
    );
    return present(response.job);
  }

  async resumeJob(name: string, options: CallOptions = {}): Promise<Job> {
    const { job } = this.#services;
    const response = await retried<ResumeJobResponse>(options, (metadata, grpc, done) =>
      job.resumeJob({ name }, metadata, grpc, done),
    );
    return present(response.job);
  }

  async approveJob(name: string, options: CallOptions = {}): Promise<Job> {
    const { job } = this.#services;
    const response = await retried<ApproveJobResponse>(options, (metadata, grpc, done) =>
      job.approveJob({ name }, metadata, grpc, done),
    );
    return present(response.job);
  }

  async retryJob(name: string, options: RetryJobOptions = {}): Promise<Job> {
    const { job } = this.#services;
    const request = { name, requestId: options.requestId ?? randomUUID() };
    const response = await retried<RetryJobResponse>(options, (metadata, grpc, done) =>
      job.retryJob(request, metadata, grpc, done),
    );
    return present(response.job);
  }

  async updateJob(
    name: string,
    changes: SchedulingChanges,
    options: UpdateJobOptions = {},
  ): Promise<Job> {
    const { job } = this.#services;
    const request = updateRequest(name, changes, options.etag);
    const response = await retried<UpdateJobResponse>(options, (metadata, grpc, done) =>
      job.updateJob(request, metadata, grpc, done),
    );
    return present(response.job);
  }

  async explainJob(name: string, options: CallOptions = {}): Promise<ExplainJobResponse> {
    const { job } = this.#services;
    return await retried<ExplainJobResponse>(options, (metadata, grpc, done) =>
      job.explainJob({ name }, metadata, grpc, done),
    );
  }

  async explainTask(name: string, options: CallOptions = {}): Promise<ExplainTaskResponse> {
    const { job } = this.#services;
    return await retried<ExplainTaskResponse>(options, (metadata, grpc, done) =>
      job.explainTask({ name }, metadata, grpc, done),
    );
  }

  close(): void {
    for (const client of Object.values(this.#services)) client.close();
  }
}

/** One by one, as they came. */
async function* eventsOf(
  answers: AsyncIterable<WatchJobResponse>,
): AsyncGenerator<WatchJobResponse, void> {
  for await (const { more, ...first } of answers) {
    yield first;
    if (more !== undefined) yield* more.events;
  }
}
