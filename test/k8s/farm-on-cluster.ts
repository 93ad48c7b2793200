/** A farm whose workers are the pods of a cluster; gateways and schedulers run beside it. */
import { type ChaosFarm, type FarmOptions, startChaosFarm } from "../chaos/farm/chaos-farm.ts";
import { comeToRest } from "../chaos/farm/come-to-rest.ts";
import { scanFarm } from "../chaos/farm/scan-farm.ts";
import { checkHistory, type Violation } from "../chaos/history/check-history.ts";
import { type LoadReport, runLoad } from "../chaos/history/load.ts";
import { createRandom } from "../chaos/random.ts";
import { type Cluster, openCluster } from "./cluster.ts";
import { PodProcesses } from "./pod-processes.ts";

/** Longer than any of these tests; what has not ended then is lost. */
const loadWithinMs = 110_000;

export interface FarmOnClusterOptions {
  readonly namespace: string;
  readonly app: string;
  readonly farm?: Omit<FarmOptions, "workers">;
}

export class FarmOnCluster {
  readonly cluster: Cluster;
  readonly farm: ChaosFarm;
  readonly processes: PodProcesses;
  readonly namespace: string;
  #loads = 0;

  constructor(cluster: Cluster, farm: ChaosFarm, options: FarmOnClusterOptions) {
    this.cluster = cluster;
    this.farm = farm;
    this.namespace = options.namespace;
    this.processes = new PodProcesses({ ...options, cluster, farm });
  }

  /** Clients ask for this many pictures and wait for every one. */
  async load(tasks: number, lanes = 8): Promise<LoadReport> {
    this.#loads += 1;
    const client = this.farm.client();
    try {
      return await runLoad({
        client,
        history: this.farm.history,
        random: createRandom(`load ${this.#loads}`),
        lanes,
        tasks,
        stop: AbortSignal.timeout(loadWithinMs),
      });
    } finally {
      client.close();
    }
  }

  /** What went wrong with any picture so far, once the farm rests; empty where nothing did. */
  async violations(): Promise<readonly Violation[]> {
    await comeToRest(this.farm);
    return checkHistory(this.farm.history.entries, await scanFarm(this.farm)).violations;
  }

  /** Pictures of whom more than one attempt was made, once the farm rests. */
  async repeated(): Promise<number> {
    await comeToRest(this.farm);
    return (await scanFarm(this.farm)).outcomes.filter(({ attempt }) => attempt > 1).length;
  }

  async stop(): Promise<void> {
    await this.processes.stop();
    await this.farm.stop();
    await this.cluster.stop();
  }
}

export async function openFarmOnCluster(options: FarmOnClusterOptions): Promise<FarmOnCluster> {
  const cluster = await openCluster();
  await cluster.namespace(options.namespace);
  const farm = await startChaosFarm({ workers: 0, ...options.farm });
  return new FarmOnCluster(cluster, farm, options);
}
