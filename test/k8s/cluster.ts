/** A cluster of simulated nodes for one test file, and the questions that its tests ask. */
import {
  type ControlPlane,
  gpuNode,
  type KubeClient,
  openResource,
  simulatedNodeLabel,
  startControlPlane,
} from "@zfarm/testing";
import { waitUntil } from "../chaos/farm/wait-until.ts";

/** The parts of a pod that make a process of it. */
export interface PodSpec {
  readonly nodeName?: string;
  readonly serviceAccountName?: string;
  readonly automountServiceAccountToken?: boolean;
  readonly containers: readonly [PodContainer];
  readonly volumes?: readonly PodVolume[];
}

export interface PodContainer {
  readonly args?: readonly string[];
  readonly env?: readonly {
    readonly name: string;
    readonly value?: string;
    readonly valueFrom?: {
      readonly fieldRef?: { readonly fieldPath: string };
      readonly secretKeyRef?: { readonly name: string; readonly key: string };
    };
  }[];
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[];
}

export interface PodVolume {
  readonly name: string;
  readonly configMap?: { readonly name: string };
  readonly secret?: { readonly secretName: string };
}

/** The parts of a pod that tests look at. */
export interface Pod {
  readonly metadata: {
    readonly name: string;
    readonly uid: string;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly deletionTimestamp?: string;
    readonly ownerReferences?: readonly { readonly kind: string }[];
  };
  readonly spec: PodSpec;
  readonly status: {
    readonly phase?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}

interface Node {
  readonly metadata: { readonly name: string };
  readonly spec: { readonly taints?: readonly object[] };
}

interface List<Item> {
  readonly items: Item[];
}

const nodesWithinMs = 20_000;
const podsWithinMs = 60_000;

export class Cluster {
  readonly plane: ControlPlane;

  constructor(plane: ControlPlane) {
    this.plane = plane;
  }

  get client(): KubeClient {
    return this.plane.client;
  }

  stop(): Promise<void> {
    return this.plane.stop();
  }

  /** Adds nodes `<prefix>-0` and on, and waits until the scheduler may use them. */
  async addNodes(prefix: string, count: number, gpus = 8): Promise<void> {
    const names = Array.from({ length: count }, (_, index) => `${prefix}-${index}`);
    await Promise.all(names.map((name) => this.client.apply(gpuNode(name, gpus))));
    await waitUntil(`${count} nodes are ready`, nodesWithinMs, async () => {
      const { items } = await this.client.get<List<Node>>("/api/v1/nodes");
      const usable = items.filter(({ spec }) => spec.taints === undefined);
      const known = new Set(usable.map(({ metadata }) => metadata.name));
      return names.every((name) => known.has(name));
    });
  }

  /** The node's machine is gone, and nobody says so: kwok no longer speaks for it. */
  async silence(node: string): Promise<void> {
    const labels = { [simulatedNodeLabel]: null };
    await this.client.merge(`/api/v1/nodes/${node}`, { metadata: { labels } });
  }

  /** As a cloud takes a spot machine: no new pods, those there are told to go, then it is gone. */
  async reclaim(node: string, namespace: string): Promise<void> {
    await this.client.merge(`/api/v1/nodes/${node}`, { spec: { unschedulable: true } });
    const pods = (await this.pods(namespace)).filter(({ spec }) => spec.nodeName === node);
    for (const { metadata } of pods) {
      const { name } = metadata;
      const path = `/api/v1/namespaces/${namespace}/pods/${name}/eviction`;
      const body = { apiVersion: "policy/v1", kind: "Eviction", metadata: { name } };
      const { status } = await this.client.ask({ method: "POST", path, body });
      if (status !== 201) throw new Error(`${name} could not be evicted: ${status}`);
    }
    await waitUntil(`${node} is empty`, podsWithinMs, async () => {
      return (await this.pods(namespace)).every(({ spec }) => spec.nodeName !== node);
    });
    await this.client.remove(`/api/v1/nodes/${node}`);
  }

  async namespace(name: string, labels: Record<string, string> = {}): Promise<void> {
    await this.client.apply({ apiVersion: "v1", kind: "Namespace", metadata: { name, labels } });
    const account = `/api/v1/namespaces/${name}/serviceaccounts/default`;
    await waitUntil(`${name} has its account`, podsWithinMs, async () => {
      return (await this.client.ask({ path: account })).status === 200;
    });
  }

  /** Resources of the group are known to the server, and tools find them. */
  async define(group: string, version: string, kinds: readonly string[]): Promise<void> {
    for (const kind of kinds) await this.client.apply(openResource(group, version, kind));
    const path = `/apis/${group}/${version}`;
    await waitUntil(`${group} is served`, 20_000, async () => {
      const { status, body } = await this.client.ask({ path });
      const { resources } = body as { resources?: { kind: string }[] };
      return status === 200 && kinds.every((kind) => resources?.some((one) => one.kind === kind));
    });
  }

  /** All of them, or those of one Deployment of these tests. */
  async pods(namespace: string, app?: string): Promise<Pod[]> {
    return this.podsBy(namespace, app === undefined ? "" : `app=${app}`);
  }

  /** @param selector Of labels. */
  async podsBy(namespace: string, selector: string): Promise<Pod[]> {
    const query = `?labelSelector=${encodeURIComponent(selector)}`;
    const path = `/api/v1/namespaces/${namespace}/pods${query}`;
    return (await this.client.get<List<Pod>>(path)).items;
  }

  async scale(namespace: string, deployment: string, replicas: number): Promise<void> {
    const path = `/apis/apps/v1/namespaces/${namespace}/deployments/${deployment}/scale`;
    await this.client.merge(path, { spec: { replicas } });
  }

  /** Waits until exactly `count` pods are ready and no other is left; resolves with them. */
  async settled(namespace: string, count: number, app?: string): Promise<Pod[]> {
    return waitUntil(`${count} pods and all ready`, podsWithinMs, async () => {
      const pods = await this.pods(namespace, app);
      return pods.length === count && pods.every(isReady) ? pods : undefined;
    });
  }
}

export async function openCluster(): Promise<Cluster> {
  return new Cluster(await startControlPlane());
}

export function isReady(pod: Pod): boolean {
  const conditions = pod.status.conditions ?? [];
  return conditions.some(({ type, status }) => type === "Ready" && status === "True");
}

export const namesOf = (pods: readonly Pod[]): string[] =>
  pods.map(({ metadata }) => metadata.name).sort();
