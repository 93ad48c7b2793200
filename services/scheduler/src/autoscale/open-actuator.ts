/** Finds the hands that the configuration names. */
import { type App, invariant } from "@zfarm/runtime";
import type { Actuator } from "./actuator.ts";
import type { AutoscalerConfig } from "./autoscaler-config.ts";
import { openKubernetes } from "./kubernetes/open-kubernetes.ts";
import { createNoActuator } from "./no-actuator.ts";

/** Rejects with a FarmError where they cannot be had, with a ConfigError where they may not act. */
export async function openActuator(app: App, config: AutoscalerConfig): Promise<Actuator> {
  switch (config.actuator) {
    case "none":
      return createNoActuator();
    case "kubernetes": {
      const { kubernetes } = config;
      invariant(kubernetes !== undefined, "who acts on Kubernetes knows where that is");
      const { clock, log, registry, stop } = app;
      const targets = new Map([...config.pools].map(([pool, { target }]) => [pool, target]));
      return openKubernetes({ config: kubernetes, targets, clock, log, registry, stop });
    }
  }
}
