/**
 * Plays the kubelet where kwok only keeps records: every pod that has started is a real process,
 * ready when that says so, and told to stop when its pod is deleted; then the pod goes.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { ManagedProcess } from "../chaos/farm/managed-process.ts";
import type { History } from "../chaos/history/history.ts";
import { type Cluster, isReady, type Pod } from "./cluster.ts";

const lookEveryMs = 100;
/** To kwok the pod of a job is done at once. */
const startedPhases: readonly string[] = ["Running", "Succeeded"];

export interface PodProcessesOptions {
  readonly cluster: Cluster;
  readonly namespace: string;
  readonly history: History;
  /** Makes the process of a pod, not started; undefined for pods that are none. */
  readonly create: (pod: Pod) => Promise<ManagedProcess | undefined>;
}

/** What a pod had in hand when it was told to stop. */
export interface Goodbye {
  readonly pod: string;
  /** Pictures that it had begun and not drawn. */
  readonly inHand: number;
  /** How its process ended. */
  readonly how: string;
}

interface Played {
  readonly node: string;
  readonly process: ManagedProcess;
  isLeaving: boolean;
}

export class PodProcesses {
  readonly goodbyes: Goodbye[] = [];
  readonly #options: PodProcessesOptions;
  readonly #played = new Map<string, Played>();
  readonly #leaving = new Set<Promise<void>>();
  readonly #stop = new AbortController();
  readonly #watching: Promise<void>;

  constructor(options: PodProcessesOptions) {
    this.#options = options;
    this.#watching = this.#watch();
  }

  /** Of those that have a process now. */
  get pods(): string[] {
    return [...this.#played.keys()].sort();
  }

  process(pod: string): ManagedProcess | undefined {
    return this.#played.get(pod)?.process;
  }

  /** Pictures that a pod's process has begun and not drawn. */
  inHand(pod: string): number {
    const { events } = this.#options.history;
    let count = 0;
    for (const event of events) {
      if (event.kind === "begin" && event.worker === pod) count += 1;
      if (event.kind === "drawn" && event.worker === pod) count -= 1;
    }
    return count;
  }

  /** The machine under them is gone at once. */
  async killNode(node: string): Promise<string[]> {
    const lost = [...this.#played].filter(([, played]) => played.node === node);
    await Promise.all(lost.map(([, { process }]) => process.kill({ hold: true })));
    return lost.map(([pod]) => pod);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#watching;
    await Promise.all(this.#leaving);
    await Promise.all([...this.#played.values()].map(({ process }) => process.stop()));
  }

  async #watch(): Promise<void> {
    const { cluster, namespace } = this.#options;
    while (!this.#stop.signal.aborted) {
      const pods = await cluster.pods(namespace);
      for (const pod of pods) await this.#see(pod);
      await this.#bury(new Set(pods.map(({ metadata }) => metadata.name)));
      await sleep(lookEveryMs);
    }
  }

  async #see(pod: Pod): Promise<void> {
    const { name, deletionTimestamp } = pod.metadata;
    const played = this.#played.get(name);
    if (deletionTimestamp !== undefined) {
      if (played !== undefined && !played.isLeaving) this.#dismiss(name, played);
      if (played === undefined) await this.#remove(name);
    } else if (played !== undefined) {
      await this.#tellReady(pod, played);
    } else if (startedPhases.includes(pod.status.phase ?? "")) {
      const process = await this.#options.create(pod);
      if (process === undefined) return;
      this.#played.set(name, { node: pod.spec.nodeName ?? "", process, isLeaving: false });
      process.start();
    }
  }

  /** The kubelet of a lost node says nothing more. */
  async #tellReady(pod: Pod, { process }: Played): Promise<void> {
    const isIt = await process.isReady();
    if (!process.isAlive || isIt === isReady(pod)) return;
    const status = isIt ? "True" : "False";
    const lastTransitionTime = new Date().toISOString();
    const conditions = ["Ready", "ContainersReady"].map((type) => {
      return { type, status, lastTransitionTime };
    });
    const path = `${this.#path(pod.metadata.name)}/status`;
    const body = { status: { conditions } };
    await this.#options.cluster.client.ask({
      method: "PATCH",
      path,
      body,
      patch: "strategic-merge",
    });
  }

  #dismiss(pod: string, played: Played): void {
    if (!played.process.isAlive) return;
    played.isLeaving = true;
    const inHand = this.inHand(pod);
    const leaving = played.process.terminate().then(async (how) => {
      this.goodbyes.push({ pod, inHand, how });
      await this.#remove(pod);
    });
    this.#leaving.add(leaving);
  }

  async #remove(pod: string): Promise<void> {
    await this.#options.cluster.client.remove(this.#path(pod), 0);
  }

  #path(pod: string): string {
    return `/api/v1/namespaces/${this.#options.namespace}/pods/${pod}`;
  }

  /** A pod that is gone has no process, whether or not that had ended. */
  async #bury(left: ReadonlySet<string>): Promise<void> {
    for (const [pod, { process }] of this.#played) {
      if (left.has(pod)) continue;
      this.#played.delete(pod);
      await process.kill({ hold: true });
    }
  }
}
