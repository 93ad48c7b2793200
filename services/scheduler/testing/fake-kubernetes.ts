/**
 * As much of Kubernetes as the autoscaler's hands touch: Deployments with a scale, pods that are
 * ready at once, other scalers, events. It passes the suite that a real control plane passes.
 */
import { invariant } from "@zfarm/runtime";
import type {
  KubernetesReply,
  KubernetesRequest,
  KubernetesTransport,
} from "../src/autoscale/kubernetes/kubernetes-transport.ts";

export interface FakePod {
  metadata: {
    name: string;
    uid: string;
    creationTimestamp: string;
    deletionTimestamp?: string;
    annotations: Record<string, string>;
  };
  status: { phase: string; conditions: object[]; containerStatuses: object[] };
}

interface FakeDeployment {
  replicas: number;
  version: number;
  pods: FakePod[];
}

/** Changes an answer, or throws in its place, before or after the request has done its work. */
export type Fault = (
  request: KubernetesRequest,
  work: () => KubernetesReply,
) => KubernetesReply | undefined;

const costKey = "controller.kubernetes.io/pod-deletion-cost";

export class FakeKubernetes implements KubernetesTransport {
  readonly deployments = new Map<string, FakeDeployment>();
  readonly scalers = { horizontalpodautoscalers: new Map(), scaledobjects: new Map() };
  readonly events: Record<string, unknown>[] = [];
  readonly requests: KubernetesRequest[] = [];
  fault: Fault = () => undefined;
  #made = 0;

  deploy(name: string, replicas: number): void {
    this.deployments.set(name, { replicas, version: 1, pods: [] });
    this.#settle(name);
  }

  /** As `kubectl scale` does. */
  scale(name: string, replicas: number): void {
    const deployment = this.deployments.get(name);
    invariant(deployment !== undefined, `there is a Deployment ${name}`);
    deployment.replicas = replicas;
    deployment.version += 1;
    this.#settle(name);
  }

  /** Its ReplicaSet makes another one. */
  deletePod(pod: string): void {
    for (const [name, deployment] of this.deployments) {
      deployment.pods = deployment.pods.filter(({ metadata }) => metadata.name !== pod);
      this.#settle(name);
    }
  }

  pods(name: string): FakePod[] {
    return this.deployments.get(name)?.pods ?? [];
  }

  async send(request: KubernetesRequest): Promise<KubernetesReply> {
    this.requests.push(request);
    const work = (): KubernetesReply => this.#answer(request);
    return this.fault(request, work) ?? work();
  }

  async close(): Promise<void> {
    this.deployments.clear();
  }

  #answer(request: KubernetesRequest): KubernetesReply {
    const path = request.path.split("/namespaces/")[1]?.split("/").slice(1) ?? [];
    const [resource = "", name = "", sub] = path;
    if (resource === "deployments" && sub === "scale") return this.#answerScale(name, request);
    if (resource === "pods") return this.#answerPods(name, request);
    if (resource === "events") {
      this.events.push(request.body as Record<string, unknown>);
      return { status: 201, body: {} };
    }
    if (resource === "horizontalpodautoscalers" || resource === "scaledobjects") {
      return { status: 200, body: { items: [...this.scalers[resource].values()] } };
    }
    return { status: 404, body: { message: `no ${request.path}` } };
  }

  #answerScale(name: string, { method, body }: KubernetesRequest): KubernetesReply {
    const deployment = this.deployments.get(name);
    if (deployment === undefined) return { status: 404, body: { message: `no ${name}` } };
    if (method === "PUT") {
      const wish = body as { metadata: { resourceVersion: string }; spec: { replicas: number } };
      if (wish.metadata.resourceVersion !== String(deployment.version)) {
        return { status: 409, body: { message: "the object has been modified" } };
      }
      this.scale(name, wish.spec.replicas);
    }
    const { version, replicas } = deployment;
    const metadata = { name, uid: `uid-${name}`, resourceVersion: String(version) };
    return {
      status: 200,
      // Zero is left out, as Go does.
      body: {
        metadata,
        spec: replicas === 0 ? {} : { replicas },
        status: { selector: `app=${name}` },
      },
    };
  }

  #answerPods(name: string, { method, query, body }: KubernetesRequest): KubernetesReply {
    if (method === "GET") {
      const app = query?.["labelSelector"]?.replace("app=", "") ?? "";
      return { status: 200, body: structuredClone({ items: this.pods(app) }) };
    }
    const pods = [...this.deployments.values()].flatMap((deployment) => deployment.pods);
    const pod = pods.find(({ metadata }) => metadata.name === name);
    if (pod === undefined) return { status: 404, body: { message: `no pod ${name}` } };
    const patch = body as { metadata: { annotations: Record<string, string | null> } };
    for (const [key, value] of Object.entries(patch.metadata.annotations)) {
      if (value === null) delete pod.metadata.annotations[key];
      else pod.metadata.annotations[key] = value;
    }
    return { status: 200, body: pod };
  }

  /** What the controllers do: the lowest cost goes first, then the newest. */
  #settle(name: string): void {
    const deployment = this.deployments.get(name);
    if (deployment === undefined) return;
    const { pods, replicas } = deployment;
    while (pods.length < replicas) pods.push(this.#createPod(name));
    const costOf = ({ metadata }: FakePod): number => Number(metadata.annotations[costKey] ?? 0);
    const doomed = pods.toReversed().toSorted((one, other) => costOf(one) - costOf(other));
    const gone = new Set(doomed.slice(0, pods.length - replicas));
    deployment.pods = pods.filter((pod) => !gone.has(pod));
  }

  #createPod(name: string): FakePod {
    this.#made += 1;
    const time = new Date().toISOString();
    const condition = (type: string) => ({ type, status: "True", lastTransitionTime: time });
    return {
      metadata: {
        name: `${name}-${this.#made}`,
        uid: `uid-${this.#made}`,
        creationTimestamp: time,
        annotations: {},
      },
      status: {
        phase: "Running",
        conditions: [condition("PodScheduled"), condition("Ready")],
        containerStatuses: [{ restartCount: 0, state: { running: {} } }],
      },
    };
  }
}
