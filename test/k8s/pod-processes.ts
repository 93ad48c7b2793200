/**
 * Plays the kubelet where kwok only keeps records: every ready pod of a worker is a real process
 * of a worker, told to stop when its pod is deleted, and the pod goes when the process has ended.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { ChaosFarm } from "../chaos/farm/chaos-farm.ts";
import type { ManagedProcess } from "../chaos/farm/managed-process.ts";
import { type Cluster, isReady, type Pod } from "./cluster.ts";

const lookEveryMs = 100;

export interface PodProcessesOptions {
  readonly cluster: Cluster;
  readonly farm: ChaosFarm;
  readonly namespace: string;
  /** Selects the pods. */
  readonly app: string;
}

/** What a pod had in hand when it was told to stop. */
export interface Goodbye {
  readonly pod: string;
  /** Pictures that it had begun and not drawn. */
  readonly inHand: number;
  /** How its process ended. */
  readonly how: string;
}

export class PodProcesses {
  readonly #options: PodProcessesOptions;
  readonly #processes = new Map<string, ManagedProcess>();
  readonly #nodes = new Map<string, string>();
  readonly #leaving = new Map<string, Promise<void>>();
  readonly #stop = new AbortController();
  readonly #watching: Promise<void>;
  readonly goodbyes: Goodbye[] = [];

  constructor(options: PodProcessesOptions) {
    this.#options = options;
    this.#watching = this.#watch();
  }

  /** Of those that run now. */
  get pods(): string[] {
    return [...this.#processes.keys()].sort();
  }

  /** Pictures that a pod's process has begun and not drawn. */
  inHand(pod: string): number {
    const { events } = this.#options.farm.history;
    const count = (kind: string) =>
      events.filter((event) => event.kind === kind && "worker" in event && event.worker === pod);
    return count("begin").length - count("drawn").length;
  }

  /** The machine under them is gone at once. */
  async killNode(node: string): Promise<string[]> {
    const pods = this.pods.filter((pod) => this.#nodes.get(pod) === node);
    await Promise.all(pods.map(async (pod) => this.#processes.get(pod)?.kill({ hold: true })));
    for (const pod of pods) this.#options.farm.fault("kill-node", pod);
    return pods;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#watching;
    await Promise.all(this.#leaving.values());
    await Promise.all([...this.#processes.values()].map((each) => each.stop()));
  }

  async #watch(): Promise<void> {
    const { cluster, namespace, app } = this.#options;
    while (!this.#stop.signal.aborted) {
      const pods = await cluster.pods(namespace, app);
      for (const pod of pods) this.#see(pod);
      await this.#bury(new Set(pods.map(({ metadata }) => metadata.name)));
      await sleep(lookEveryMs);
    }
  }

  #see(pod: Pod): void {
    const { name, deletionTimestamp } = pod.metadata;
    if (deletionTimestamp !== undefined) {
      if (!this.#leaving.has(name)) this.#leaving.set(name, this.#leave(name));
    } else if (isReady(pod) && !this.#processes.has(name)) {
      const started = this.#options.farm.createWorker(name);
      this.#processes.set(name, started);
      this.#nodes.set(name, pod.spec.nodeName ?? "");
      started.start();
    }
  }

  async #leave(pod: string): Promise<void> {
    const started = this.#processes.get(pod);
    const isLost = started !== undefined && !started.isAlive;
    // The kubelet of a lost node says nothing more.
    if (isLost) return;
    if (started !== undefined) {
      const inHand = this.inHand(pod);
      const how = await started.terminate();
      this.goodbyes.push({ pod, inHand, how });
    }
    const { cluster, namespace } = this.#options;
    await cluster.client.remove(`/api/v1/namespaces/${namespace}/pods/${pod}`, 0);
  }

  /** A pod that is gone has no process, whether or not that had ended. */
  async #bury(left: ReadonlySet<string>): Promise<void> {
    for (const [pod, started] of this.#processes) {
      if (left.has(pod)) continue;
      this.#processes.delete(pod);
      await started.kill({ hold: true });
    }
  }
}
