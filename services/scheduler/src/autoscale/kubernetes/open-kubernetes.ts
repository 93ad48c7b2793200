/** Puts the hands on Kubernetes together. */
import { FarmError, type PoolId } from "@zfarm/contract";
import type { Clock, Log, Registry } from "@zfarm/runtime";
import { KubernetesActuator } from "./kubernetes-actuator.ts";
import { KubernetesApi } from "./kubernetes-api.ts";
import { KubernetesClient } from "./kubernetes-client.ts";
import type { KubernetesConfig } from "./kubernetes-config.ts";
import { openKubernetesTransport } from "./kubernetes-transport.ts";
import { createKubernetesMetrics } from "./metrics.ts";

export interface OpenApiNeeds {
  readonly config: KubernetesConfig;
  readonly clock: Clock;
}

export interface OpenKubernetesNeeds extends OpenApiNeeds {
  /** Pool to the name of its Deployment. */
  readonly targets: ReadonlyMap<PoolId, string>;
  readonly log: Log;
  readonly registry: Registry;
  readonly stop: AbortSignal;
}

/** Asks nothing yet. */
export async function openKubernetesApi({ config, clock }: OpenApiNeeds): Promise<KubernetesApi> {
  const transport = await openKubernetesTransport(config, clock);
  return new KubernetesApi(new KubernetesClient({ transport, clock }), config.namespace);
}

/** Rejects with ConfigError where something else scales one of the Deployments. */
export async function openKubernetes(needs: OpenKubernetesNeeds): Promise<KubernetesActuator> {
  const { targets, clock, log, registry, stop } = needs;
  const api = await openKubernetesApi(needs);
  const metrics = createKubernetesMetrics(registry);
  const actuator = new KubernetesActuator({ api, clock, log, targets, metrics });
  try {
    await actuator.refuseOthers(stop);
  } catch (error) {
    if (!(error instanceof FarmError)) {
      await actuator.close();
      throw error;
    }
    // Tasks are granted whether or not the cluster can be asked; every look asks it again.
    log.warn({ error }, "other scalers not looked for yet");
  }
  return actuator;
}
