/** What tests look at of a ScaledObject, and of the HPA that KEDA makes of it. */
import type { KubeClient } from "@zfarm/testing";
import { waitUntil } from "../../chaos/farm/wait-until.ts";

const heardWithinMs = 20_000;

interface Conditional {
  readonly status?: {
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}

export interface Autoscaler extends Conditional {
  readonly spec: {
    readonly minReplicas: number;
    readonly maxReplicas: number;
    readonly metrics: readonly { readonly external: object }[];
    readonly behavior: Readonly<Record<"scaleUp" | "scaleDown", object>>;
  };
}

export class ScaledObject {
  readonly name: string;
  readonly path: string;
  readonly #client: KubeClient;
  readonly #autoscaler: string;

  constructor(client: KubeClient, namespace: string, name: string) {
    this.#client = client;
    this.name = name;
    this.path = `/apis/keda.sh/v1alpha1/namespaces/${namespace}/scaledobjects/${name}`;
    const autoscalers = `/apis/autoscaling/v2/namespaces/${namespace}/horizontalpodautoscalers`;
    this.#autoscaler = `${autoscalers}/keda-hpa-${name}`;
  }

  /** KEDA's: Ready, Active, Fallback, Paused. */
  async isIt(condition: string): Promise<boolean> {
    return holds(await this.#client.get<Conditional>(this.path), condition);
  }

  async autoscaler(): Promise<Autoscaler> {
    return this.#client.get<Autoscaler>(this.#autoscaler);
  }

  /** Whether the HPA gets its metric. */
  async isMeasured(): Promise<boolean> {
    return holds(await this.autoscaler(), "ScalingActive");
  }

  /** How often KEDA asks. Any change of a ScaledObject has it begin anew. */
  async askEvery(seconds: number): Promise<void> {
    await this.#client.merge(this.path, { spec: { pollingInterval: seconds } });
  }

  /** KEDA leaves the number as it is for as long as it is paused; resolves once it does, or not. */
  async pause(isPaused: boolean): Promise<void> {
    const annotations = { "autoscaling.keda.sh/paused": isPaused ? "true" : null };
    await this.#client.merge(this.path, { metadata: { annotations } });
    const what = isPaused ? "KEDA pauses" : "KEDA goes on";
    await waitUntil(what, heardWithinMs, async () => (await this.isIt("Paused")) === isPaused);
  }

  /** Whether both are there no longer. */
  async isGone(): Promise<boolean> {
    const paths = [this.path, this.#autoscaler];
    const answers = await Promise.all(paths.map((path) => this.#client.ask({ path })));
    return answers.every(({ status }) => status === 404);
  }
}

function holds({ status }: Conditional, condition: string): boolean {
  return (
    status?.conditions?.some((one) => one.type === condition && one.status === "True") ?? false
  );
}
