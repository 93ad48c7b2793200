/** The few calls of Kubernetes' API that the autoscaler makes, all of them in one namespace. */
import type { KubernetesClient } from "./kubernetes-client.ts";
import type { List, Pod, Scale, Scaler } from "./kubernetes-objects.ts";

/** The scale of a Deployment at one moment. */
export interface DeploymentScale {
  readonly deployment: string;
  readonly uid: string;
  readonly version: string;
  readonly replicas: number;
  /** Of its pods, as text. */
  readonly selector: string;
}

/** Whom the API server names as the one that changed a field. */
export const fieldManager = "zfarm-autoscaler";

const strict = { fieldManager, fieldValidation: "Strict" };

export class KubernetesApi {
  readonly #client: KubernetesClient;
  readonly #core: string;
  readonly #namespace: string;

  constructor(client: KubernetesClient, namespace: string) {
    this.#client = client;
    this.#namespace = namespace;
    this.#core = `/api/v1/namespaces/${namespace}`;
  }

  get namespace(): string {
    return this.#namespace;
  }

  close(): Promise<void> {
    return this.#client.close();
  }

  /** As of now, not of a cache; undefined where there is no such Deployment. */
  async readScale(deployment: string, stop: AbortSignal): Promise<DeploymentScale | undefined> {
    const ask = {
      what: `read the scale of Deployment ${deployment}`,
      method: "GET",
      path: this.#scalePath(deployment),
      expected: [404],
    } as const;
    const { status, body } = await this.#client.ask(ask, stop);
    return status === 404 ? undefined : toScale(deployment, body as Scale);
  }

  /** False where somebody else changed it after it was read. */
  async replaceScale(
    { deployment: name, version: resourceVersion }: DeploymentScale,
    replicas: number,
    stop: AbortSignal,
  ): Promise<boolean> {
    const ask = {
      what: `set the scale of Deployment ${name}`,
      method: "PUT",
      path: this.#scalePath(name),
      query: strict,
      body: {
        apiVersion: "autoscaling/v1",
        kind: "Scale",
        metadata: { name, namespace: this.#namespace, resourceVersion },
        spec: { replicas },
      },
      isOnce: true,
      expected: [409],
    } as const;
    return (await this.#client.ask(ask, stop)).status !== 409;
  }

  /** From the API server's cache, which may be some milliseconds old: cheap however often. */
  async listPods(labelSelector: string, stop: AbortSignal): Promise<readonly Pod[]> {
    const ask = {
      what: "list pods",
      method: "GET",
      path: `${this.#core}/pods`,
      query: { labelSelector, resourceVersion: "0" },
    } as const;
    return ((await this.#client.ask(ask, stop)).body as List<Pod>).items;
  }

  /** Sets annotations, or takes them away where they are null; false where the pod is gone. */
  async annotatePod(
    name: string,
    annotations: Readonly<Record<string, string | null>>,
    stop: AbortSignal,
  ): Promise<boolean> {
    const ask = {
      what: `annotate pod ${name}`,
      method: "PATCH",
      path: `${this.#core}/pods/${name}`,
      query: strict,
      body: { metadata: { annotations } },
      expected: [404],
    } as const;
    return (await this.#client.ask(ask, stop)).status !== 404;
  }

  async listAutoscalers(stop: AbortSignal): Promise<readonly Scaler[]> {
    const path = `/apis/autoscaling/v2/namespaces/${this.#namespace}/horizontalpodautoscalers`;
    return this.#listScalers("list HorizontalPodAutoscalers", path, stop);
  }

  /** None where the cluster has no KEDA. */
  async listScaledObjects(stop: AbortSignal): Promise<readonly Scaler[]> {
    const path = `/apis/keda.sh/v1alpha1/namespaces/${this.#namespace}/scaledobjects`;
    return this.#listScalers("list ScaledObjects", path, stop);
  }

  async createEvent(event: object, stop: AbortSignal): Promise<void> {
    const ask = {
      what: "take an Event",
      method: "POST",
      path: `${this.#core}/events`,
      query: strict,
      body: event,
      isOnce: true,
    } as const;
    await this.#client.ask(ask, stop);
  }

  async #listScalers(what: string, path: string, stop: AbortSignal): Promise<readonly Scaler[]> {
    const query = { resourceVersion: "0" };
    const ask = { what, method: "GET", path, query, expected: [404] } as const;
    const { status, body } = await this.#client.ask(ask, stop);
    return status === 404 ? [] : (body as List<Scaler>).items;
  }

  #scalePath(deployment: string): string {
    return `/apis/apps/v1/namespaces/${this.#namespace}/deployments/${deployment}/scale`;
  }
}

function toScale(deployment: string, { metadata, spec, status }: Scale): DeploymentScale {
  return {
    deployment,
    uid: metadata.uid ?? "",
    version: metadata.resourceVersion ?? "",
    replicas: spec?.replicas ?? 0,
    selector: status?.selector ?? "",
  };
}
