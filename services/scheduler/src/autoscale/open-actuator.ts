/** Finds the hands that the configuration names. */
import type { Actuator } from "./actuator.ts";
import type { AutoscalerConfig } from "./autoscaler-config.ts";
import { createNoActuator } from "./no-actuator.ts";

/** Rejects with a FarmError where they cannot be had. */
export function openActuator(config: AutoscalerConfig): Promise<Actuator> {
  switch (config.actuator) {
    case "none":
      return Promise.resolve(createNoActuator());
  }
}
