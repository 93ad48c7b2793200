/**
 * What all parts of the simulated farm share: time, the broker, the store of pictures, who is
 * there, and the oracle that is told of everything.
 */
import type { Heartbeat, Outcome, PoolId, WorkerId } from "@zfarm/contract";
import { BrokerModel } from "./broker-model.ts";
import type { SimCase } from "./case.ts";
import { Kernel, type Proc } from "./kernel.ts";
import type { LeaderModel } from "./leader-model.ts";
import { ManifestModel } from "./manifest-model.ts";
import { Oracle } from "./oracle.ts";
import type { SchedulerModel } from "./scheduler-model.ts";
import type { WorkerModel } from "./worker-model.ts";

/** Wall time at virtual time 0. */
export const startAt = 1_700_000_000_000;

export class World {
  readonly case: SimCase;
  readonly kernel = new Kernel();
  readonly broker: BrokerModel;
  readonly oracle: Oracle;
  /** Pictures in the store, by key: what was rendered, so that a swapped one shows. */
  readonly objects = new Map<string, string>();
  /** Who hears heartbeats, and who answers requests and reports. */
  readonly hearers = new Set<SchedulerModel>();
  readonly servers = new Set<LeaderModel>();
  /** Every process of a worker; two may share a name. */
  readonly workers: WorkerModel[] = [];
  storeDownUntil = 0;
  /** Undefined where nothing outlives the broker. */
  readonly manifests: ManifestModel | undefined;

  constructor(simCase: SimCase) {
    this.case = simCase;
    this.broker = new BrokerModel(this.kernel, {
      netMs: simCase.options.netMs,
      bundleMax: 1 + (simCase.seed % 4),
    });
    this.oracle = new Oracle(this.kernel, simCase.options, this);
    const isKept = simCase.options.durability === "manifest";
    this.manifests = isKept ? new ManifestModel(this) : undefined;
  }

  /** As a leader looks for it: one that the broker lost is published again from its copy. */
  findOutcome(key: string): Outcome | undefined {
    const standing = this.broker.outcomes.get(key)?.value;
    const copy = standing === undefined ? this.manifests?.copyOf(key) : undefined;
    if (copy === undefined) return standing;
    this.oracle.mark("outcome-restored");
    this.oracle.publish(this.broker, key, copy);
    return copy;
  }

  /** Commands go to everyone who has the name. */
  toWorker(from: Proc, id: WorkerId, deliver: (worker: WorkerModel) => void): void {
    for (const worker of this.workers) {
      if (worker.id === id) this.broker.send(from, worker.proc, () => deliver(worker));
    }
  }

  beat(from: Proc, heartbeat: Heartbeat, pool: PoolId): void {
    for (const scheduler of this.hearers) {
      this.broker.send(from, scheduler.proc, () => scheduler.hear(heartbeat, pool));
    }
  }
}
