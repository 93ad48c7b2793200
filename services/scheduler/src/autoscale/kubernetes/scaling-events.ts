/** Tells what was decided as an Event of the Deployment, where `kubectl describe` shows it. */
import { limits } from "@zfarm/contract";
import type { Clock, Log } from "@zfarm/runtime";
import type { PoolScaling } from "../actuator.ts";
import { type DeploymentScale, fieldManager, type KubernetesApi } from "./kubernetes-api.ts";

interface ScalingEventsNeeds {
  readonly api: KubernetesApi;
  readonly clock: Clock;
  readonly log: Log;
}

const windowMs = 60_000;

export class ScalingEvents {
  readonly #needs: ScalingEventsNeeds;
  #windowEndsMs = 0;
  #told = 0;

  constructor(needs: ScalingEventsNeeds) {
    this.#needs = needs;
  }

  /** Droppable: whatever goes wrong, nothing depends on it. */
  async tell(
    { deployment: name, uid }: DeploymentScale,
    scaling: PoolScaling,
    stop: AbortSignal,
  ): Promise<void> {
    if (!this.#mayTell()) return;
    const { api, clock, log } = this.#needs;
    const { pool, desired, target, reason } = scaling;
    const time = new Date(clock.now()).toISOString().replace(/\.\d+Z$/, "Z");
    const event = {
      apiVersion: "v1",
      kind: "Event",
      metadata: { generateName: `${name}.`, namespace: api.namespace },
      involvedObject: {
        apiVersion: "apps/v1",
        kind: "Deployment",
        name,
        namespace: api.namespace,
        uid,
      },
      type: "Normal",
      reason: desired > target ? "ScaledOut" : "ScaledIn",
      message: `Workers of pool ${pool}: ${target} to ${desired} (${reason})`,
      source: { component: fieldManager },
      firstTimestamp: time,
      lastTimestamp: time,
      count: 1,
    };
    try {
      await api.createEvent(event, stop);
    } catch (error) {
      if (!stop.aborted) log.debug({ error, pool }, "event not taken");
    }
  }

  #mayTell(): boolean {
    const now = this.#needs.clock.monotonic();
    if (now >= this.#windowEndsMs) {
      this.#windowEndsMs = now + windowMs;
      this.#told = 0;
    }
    this.#told += 1;
    return this.#told <= limits.kubernetesEventsPerMinute;
  }
}
