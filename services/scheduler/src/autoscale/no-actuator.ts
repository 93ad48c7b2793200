/** No hands: what the brain wants is shown and nothing is done. */
import type { Actuator } from "./actuator.ts";

export function createNoActuator(): Actuator {
  return {
    name: "none",
    observe: () => Promise.resolve([]),
    apply: () => Promise.resolve("unchanged"),
    close: () => Promise.resolve(),
  };
}
