/** Finds the hands that the configuration names. */
import type { SchedulerQueries } from "@zfarm/broker";
import { type App, invariant } from "@zfarm/runtime";
import type { Actuator } from "./actuator.ts";
import type { AutoscalerConfig } from "./autoscaler-config.ts";
import { KedaActuator } from "./keda/keda-actuator.ts";
import { openKedaServer } from "./keda/open-keda.ts";
import { openKubernetes, openKubernetesApi } from "./kubernetes/open-kubernetes.ts";
import { LocalActuator } from "./local/local-actuator.ts";
import { SupervisorLink } from "./local/supervisor-link.ts";
import { createNoActuator } from "./no-actuator.ts";

interface ActuatorNeeds {
  readonly config: AutoscalerConfig;
  readonly queries: SchedulerQueries;
}

/** Rejects with a FarmError where they cannot be had, with a ConfigError where they may not act. */
export async function openActuator(app: App, needs: ActuatorNeeds): Promise<Actuator> {
  const { config } = needs;
  switch (config.actuator) {
    case "none":
      return createNoActuator();
    case "kubernetes": {
      const { clock, log, registry, stop } = app;
      const cluster = clusterOf(config);
      return openKubernetes({ ...cluster, clock, log, registry, stop });
    }
    case "keda":
      return openKeda(app, needs);
    case "local":
      return new LocalActuator(new SupervisorLink({ channel: process, clock: app.clock }));
  }
}

async function openKeda(app: App, { config, queries }: ActuatorNeeds): Promise<Actuator> {
  const { clock, log } = app;
  const { keda } = config;
  invariant(keda !== undefined, "who serves KEDA knows where");
  const pools = new Set(config.pools.keys());
  const opening = openKedaServer({ config: keda, pools, queries, clock, log });
  await app.open("scaler for KEDA", opening, (server) => server.stop());
  const { targets, ...cluster } = clusterOf(config);
  const api = await openKubernetesApi({ ...cluster, clock });
  return new KedaActuator({ api, clock, log, targets });
}

function clusterOf({ kubernetes, pools }: AutoscalerConfig) {
  invariant(kubernetes !== undefined, "who acts on Kubernetes knows where that is");
  const targets = new Map([...pools].map(([pool, { target }]) => [pool, target]));
  return { config: kubernetes, targets };
}
