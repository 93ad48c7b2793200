/** The operator's part of the client: every method is harmless when repeated. */
import type {
  DrainResponse,
  FleetServiceClient,
  ForgiveWorkerResponse,
  GetPoolPolicyResponse,
  GetPoolResponse,
  GetProjectPolicyResponse,
  GetQueueStatisticsResponse,
  GetScalingStatusResponse,
  GetWorkerResponse,
  ListPoolsResponse,
  ListVictimsResponse,
  ListWorkersResponse,
  LockWorkerResponse,
  Pool,
  PoolConduct,
  PoolQueue,
  ProjectShare,
  QuarantineWorkerResponse,
  ResumeResponse,
  UnlockWorkerResponse,
  UpdatePoolPolicyResponse,
  UpdateProjectPolicyResponse,
  Victim,
  Worker,
} from "@zfarm/contract";
import type { CallOptions } from "./call-options.ts";
import type {
  FleetClient,
  ListVictimsOptions,
  ListWorkersOptions,
  PoolConductChange,
  QuarantineOptions,
  QueueStatisticsOptions,
  UpdatePoolOptions,
} from "./fleet-client.ts";
import { present } from "./present.ts";
import { retried } from "./retried.ts";

export class GrpcFleetClient implements FleetClient {
  readonly #fleet: FleetServiceClient;

  constructor(fleet: FleetServiceClient) {
    this.#fleet = fleet;
  }

  async listWorkers(options: ListWorkersOptions = {}): Promise<Worker[]> {
    const workers: Worker[] = [];
    let pageToken: string | undefined;
    do {
      const request = { pool: options.pool ?? "", state: options.state, pageToken };
      const page = await retried<ListWorkersResponse>(options, (metadata, grpc, done) =>
        this.#fleet.listWorkers(request, metadata, grpc, done),
      );
      workers.push(...page.workers);
      pageToken = page.nextPageToken;
    } while (pageToken !== undefined);
    return workers;
  }

  async getWorker(name: string, options: CallOptions = {}): Promise<GetWorkerResponse> {
    return await retried<GetWorkerResponse>(options, (metadata, grpc, done) =>
      this.#fleet.getWorker({ name }, metadata, grpc, done),
    );
  }

  async drain(name: string, options: CallOptions = {}): Promise<void> {
    await retried<DrainResponse>(options, (metadata, grpc, done) =>
      this.#fleet.drain({ name }, metadata, grpc, done),
    );
  }

  async resume(name: string, options: CallOptions = {}): Promise<void> {
    await retried<ResumeResponse>(options, (metadata, grpc, done) =>
      this.#fleet.resume({ name }, metadata, grpc, done),
    );
  }

  async lockWorker(
    name: string,
    options: CallOptions & { readonly reason?: string } = {},
  ): Promise<void> {
    const request = { name, reason: options.reason ?? "" };
    await retried<LockWorkerResponse>(options, (metadata, grpc, done) =>
      this.#fleet.lockWorker(request, metadata, grpc, done),
    );
  }

  async unlockWorker(name: string, options: CallOptions = {}): Promise<void> {
    await retried<UnlockWorkerResponse>(options, (metadata, grpc, done) =>
      this.#fleet.unlockWorker({ name }, metadata, grpc, done),
    );
  }

  async quarantineWorker(name: string, options: QuarantineOptions): Promise<void> {
    const request = { name, reason: options.reason, endTime: options.endTime };
    await retried<QuarantineWorkerResponse>(options, (metadata, grpc, done) =>
      this.#fleet.quarantineWorker(request, metadata, grpc, done),
    );
  }

  async forgiveWorker(name: string, options: CallOptions = {}): Promise<void> {
    await retried<ForgiveWorkerResponse>(options, (metadata, grpc, done) =>
      this.#fleet.forgiveWorker({ name }, metadata, grpc, done),
    );
  }

  async listVictims(options: ListVictimsOptions = {}): Promise<Victim[]> {
    const request = { pool: options.pool ?? "", count: options.count ?? 0 };
    const response = await retried<ListVictimsResponse>(options, (metadata, grpc, done) =>
      this.#fleet.listVictims(request, metadata, grpc, done),
    );
    return response.victims;
  }

  async getProjectPolicy(name: string, options: CallOptions = {}): Promise<ProjectShare> {
    const response = await retried<GetProjectPolicyResponse>(options, (metadata, grpc, done) =>
      this.#fleet.getProjectPolicy({ name }, metadata, grpc, done),
    );
    return present(response.share);
  }

  async updateProjectPolicy(share: ProjectShare, options: CallOptions = {}): Promise<ProjectShare> {
    const response = await retried<UpdateProjectPolicyResponse>(options, (metadata, grpc, done) =>
      this.#fleet.updateProjectPolicy({ share }, metadata, grpc, done),
    );
    return present(response.share);
  }

  async getPoolPolicy(name: string, options: CallOptions = {}): Promise<PoolConduct> {
    const response = await retried<GetPoolPolicyResponse>(options, (metadata, grpc, done) =>
      this.#fleet.getPoolPolicy({ name }, metadata, grpc, done),
    );
    return present(response.conduct);
  }

  async updatePoolPolicy(
    change: PoolConductChange,
    options: UpdatePoolOptions = {},
  ): Promise<PoolConduct> {
    const request = policyRequest(change, options.etag);
    const response = await retried<UpdatePoolPolicyResponse>(options, (metadata, grpc, done) =>
      this.#fleet.updatePoolPolicy(request, metadata, grpc, done),
    );
    return present(response.conduct);
  }

  async listPools(options: CallOptions = {}): Promise<Pool[]> {
    const response = await retried<ListPoolsResponse>(options, (metadata, grpc, done) =>
      this.#fleet.listPools({}, metadata, grpc, done),
    );
    return response.pools;
  }

  async getPool(name: string, options: CallOptions = {}): Promise<Pool> {
    const response = await retried<GetPoolResponse>(options, (metadata, grpc, done) =>
      this.#fleet.getPool({ name }, metadata, grpc, done),
    );
    return present(response.pool);
  }

  async getScalingStatus(options: CallOptions = {}): Promise<GetScalingStatusResponse> {
    return await retried<GetScalingStatusResponse>(options, (metadata, grpc, done) =>
      this.#fleet.getScalingStatus({}, metadata, grpc, done),
    );
  }

  async getQueueStatistics(options: QueueStatisticsOptions = {}): Promise<PoolQueue[]> {
    const request = { pool: options.pool ?? "", projectsMax: options.projectsMax ?? 0 };
    const response = await retried<GetQueueStatisticsResponse>(options, (metadata, grpc, done) =>
      this.#fleet.getQueueStatistics(request, metadata, grpc, done),
    );
    return response.pools;
  }
}

/** The mask names what is there, so that the rest stays as it is. */
function policyRequest({ name, speculateAfter, ...change }: PoolConductChange, etag = "") {
  const updateMask = [
    ...(speculateAfter === undefined ? [] : ["speculate_after"]),
    ...("scaling" in change ? ["scaling"] : []),
  ];
  const { scaling } = change;
  const conduct = { name, speculateAfter: speculateAfter ?? 0, draining: false, scaling, etag };
  return { conduct, updateMask };
}
