/**
 * A Deployment in virtual time: pods that take their time to start, nodes that are made for them,
 * and a ReplicaSet that takes pods away in the order of the real one.
 */
import type { WorkerId } from "@zfarm/contract";
import { createRandom } from "../placement/workload.ts";
import type { TraceTask } from "./traces.ts";

export interface ClusterShape {
  /** From asking for a worker to its being ready, where a node has to be made. */
  readonly coldStartMs: number;
  /** The same on a node that exists; absent: nodes are not looked at. */
  readonly warmStartMs?: number;
  readonly nodesMax: number;
}

export interface Pod {
  readonly id: WorkerId;
  readonly createdAt: number;
  /** When a node took it; undefined while none does. */
  scheduledAt: number | undefined;
  readyAt: number;
  isOnNewNode: boolean;
  task: TraceTask | undefined;
  busyUntil: number;
  isRetiring: boolean;
  deletionCost: number;
}

/** A node without a pod leaves after this long, as with the cluster autoscaler. */
const idleNodeMs = 600_000;

export class Cluster {
  readonly shape: ClusterShape;
  pods: Pod[] = [];
  /** Times since when existing nodes have been empty. */
  #emptySince: number[] = [];
  #nodes = 0;
  #created = 0;
  readonly #random: () => number;
  replicas = 0;
  starts = 0;
  podMs = 0;
  busyKills = 0;
  scaleIns = 0;
  removed = 0;
  readonly #onKill: (task: TraceTask) => void;

  constructor(shape: ClusterShape, seed: number, onKill: (task: TraceTask) => void) {
    this.shape = shape;
    this.#random = createRandom(seed + 101);
    this.#onKill = onKill;
  }

  isReady(pod: Pod, now: number): boolean {
    return pod.scheduledAt !== undefined && pod.readyAt <= now;
  }

  /** What controllers do: make pods, take pods away, find nodes. */
  reconcile(now: number, sinceMs: number): void {
    while (this.pods.length < this.replicas) this.#create(now);
    if (this.pods.length > this.replicas) {
      this.scaleIns += 1;
      const victims = this.pods
        .toSorted((one, other) => this.#order(one, other, now))
        .slice(0, this.pods.length - this.replicas);
      for (const pod of victims) this.#delete(pod, now);
    }
    for (const pod of this.pods) if (pod.scheduledAt === undefined) this.#schedule(pod, now);
    this.#emptySince = this.#emptySince.filter((since) => {
      if (now - since < idleNodeMs) return true;
      this.#nodes -= 1;
      return false;
    });
    for (const pod of this.pods) if (pod.scheduledAt !== undefined) this.podMs += sinceMs;
  }

  #create(now: number): void {
    this.#created += 1;
    this.starts += 1;
    this.pods.push({
      id: `w${this.#created}` as WorkerId,
      createdAt: now,
      scheduledAt: undefined,
      readyAt: Number.POSITIVE_INFINITY,
      isOnNewNode: false,
      task: undefined,
      busyUntil: 0,
      isRetiring: false,
      deletionCost: 0,
    });
  }

  #schedule(pod: Pod, now: number): void {
    const { coldStartMs, warmStartMs, nodesMax } = this.shape;
    let startMs = coldStartMs;
    if (warmStartMs !== undefined && this.#emptySince.length > 0) {
      this.#emptySince.pop();
      startMs = warmStartMs;
    } else if (this.#nodes < nodesMax) {
      this.#nodes += 1;
      pod.isOnNewNode = warmStartMs !== undefined;
    } else return;
    pod.scheduledAt = now;
    // One start in ten is a tenth longer or shorter than another.
    pod.readyAt = now + startMs * (0.9 + 0.2 * this.#random());
  }

  #delete(pod: Pod, now: number): void {
    this.removed += 1;
    this.pods = this.pods.filter((each) => each !== pod);
    if (pod.scheduledAt !== undefined) {
      if (this.shape.warmStartMs === undefined) this.#nodes -= 1;
      else this.#emptySince.push(now);
    }
    if (pod.task === undefined) return;
    this.busyKills += 1;
    this.#onKill(pod.task);
  }

  /** ActivePodsWithRanks of Kubernetes, as far as it can differ here: one pod on each node. */
  #order(one: Pod, other: Pod, now: number): number {
    const isUnassigned = (pod: Pod): number => (pod.scheduledAt === undefined ? 0 : 1);
    const isReady = (pod: Pod): number => (this.isReady(pod, now) ? 1 : 0);
    // Ages are compared by magnitude only: in buckets of powers of two.
    const age = (pod: Pod): number => Math.floor(Math.log2(Math.max(1, now - pod.readyAt)));
    const readyAge = (pod: Pod): number => (isReady(pod) === 1 ? age(pod) : 0);
    return (
      isUnassigned(one) - isUnassigned(other) ||
      isReady(one) - isReady(other) ||
      one.deletionCost - other.deletionCost ||
      readyAge(one) - readyAge(other) ||
      other.createdAt - one.createdAt
    );
  }
}
