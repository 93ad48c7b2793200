/** A farm whose processes are the pods of a cluster, and clients that want pictures of it. */
import type { FarmClient } from "@zfarm/client";
import type { ChaosFarm } from "../chaos/farm/chaos-farm.ts";
import { comeToRest } from "../chaos/farm/come-to-rest.ts";
import type { ManagedProcess } from "../chaos/farm/managed-process.ts";
import { scanFarm } from "../chaos/farm/scan-farm.ts";
import { checkHistory, type Violation } from "../chaos/history/check-history.ts";
import { type LoadReport, runLoad } from "../chaos/history/load.ts";
import { createRandom } from "../chaos/random.ts";
import type { Cluster, Pod } from "./cluster.ts";
import { PodProcesses } from "./pod-processes.ts";

/** Longer than any of these tests; what has not ended then is lost. */
const loadWithinMs = 110_000;

export interface FarmOnClusterParts {
  readonly cluster: Cluster;
  readonly namespace: string;
  /** The broker and the history; and whatever is no pod. */
  readonly farm: ChaosFarm;
  /** Makes the process of a pod. */
  readonly create: (pod: Pod) => Promise<ManagedProcess | undefined>;
}

export interface RunningLoad {
  /** Resolves when every picture that was asked for has come. */
  end(): Promise<LoadReport>;
}

export class FarmOnCluster {
  readonly cluster: Cluster;
  readonly farm: ChaosFarm;
  readonly processes: PodProcesses;
  #loads = 0;

  constructor(parts: FarmOnClusterParts) {
    this.cluster = parts.cluster;
    this.farm = parts.farm;
    this.processes = new PodProcesses({ ...parts, history: parts.farm.history });
  }

  /** Clients ask for pictures until it is enough, and then wait for every one. */
  startLoad(client: FarmClient, lanes = 6): RunningLoad {
    this.#loads += 1;
    const enough = new AbortController();
    const running = runLoad({
      client,
      history: this.farm.history,
      random: createRandom(`load ${this.#loads}`),
      lanes,
      tasks: Number.POSITIVE_INFINITY,
      tasksPerJobMax: 6,
      enough: enough.signal,
      stop: AbortSignal.timeout(loadWithinMs),
    });
    return {
      end: () => {
        enough.abort();
        return running;
      },
    };
  }

  /** What went wrong with any picture so far, once the farm rests; empty where nothing did. */
  async violations(): Promise<readonly Violation[]> {
    await comeToRest(this.farm);
    return checkHistory(this.farm.history.entries, await scanFarm(this.farm)).violations;
  }

  /** Pictures of which more than one attempt was made, once the farm rests. */
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
