/**
 * Stands a simulated worker on the broker behind every pod that kwok runs: it works while its pod
 * does, is told to stop when the pod is, and the pod is gone once the worker has finished.
 */
import type { KubeClient } from "@zfarm/testing";
import { markKey } from "../../services/scheduler/src/autoscale/kubernetes/deletion-mark.ts";
import type { Fleet } from "../bench/simulated-fleet.ts";
import type { Pod } from "./cluster.ts";

/** What became of the pods so far. */
export interface MirrorCounts {
  readonly workers: number;
  /** Pods at one time, without those that were told to stop. */
  readonly podsMost: number;
  /** Told to stop. */
  readonly dismissed: number;
  /** Of them, those that held a task then, and those that the autoscaler had not marked. */
  readonly busy: number;
  readonly unmarked: number;
  /** Gone without having been told. */
  readonly killed: number;
  /** Leases that workers were granted: more than tasks where some were drawn again. */
  readonly leases: number;
}

export class Mirror {
  readonly #client: KubeClient;
  readonly #path: string;
  readonly #fleet: Fleet;
  readonly #pods = new Set<string>();
  readonly #leaving = new Set<string>();
  readonly #counts = { podsMost: 0, dismissed: 0, busy: 0, unmarked: 0, killed: 0 };

  constructor(client: KubeClient, namespace: string, fleet: Fleet) {
    this.#client = client;
    this.#path = `/api/v1/namespaces/${namespace}/pods`;
    this.#fleet = fleet;
  }

  get counts(): Omit<MirrorCounts, "leases"> {
    return { workers: this.#fleet.size, ...this.#counts };
  }

  /** Until `stop` aborts. */
  async run(stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      for await (const { type, object } of this.#client.watch<Pod>(this.#path, stop)) {
        if (type === "DELETED") this.#bury(object.metadata.name);
        else this.#see(object);
      }
    }
  }

  #see(pod: Pod): void {
    const { name, deletionTimestamp } = pod.metadata;
    this.#pods.add(name);
    if (deletionTimestamp !== undefined) this.#dismiss(pod);
    const pods = this.#pods.size - this.#leaving.size;
    this.#counts.podsMost = Math.max(this.#counts.podsMost, pods);
    if (deletionTimestamp !== undefined) return;
    if (pod.status.phase === "Running" && !this.#fleet.has(name)) this.#fleet.add(name);
  }

  #dismiss({ metadata: { name, annotations } }: Pod): void {
    if (this.#leaving.has(name)) return;
    this.#leaving.add(name);
    this.#counts.dismissed += 1;
    if (this.#fleet.held(name) > 0) this.#counts.busy += 1;
    if (annotations?.[markKey] === undefined) this.#counts.unmarked += 1;
    void this.#fleet.dismiss(name).then(() => this.#client.remove(`${this.#path}/${name}`, 0));
  }

  #bury(name: string): void {
    this.#pods.delete(name);
    if (!this.#leaving.delete(name)) this.#counts.killed += 1;
    void this.#fleet.kill(name);
  }
}
