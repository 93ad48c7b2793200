/**
 * Hands that KEDA has: they mark who goes first, and the number is what KEDA is told when it asks.
 * KEDA changes it within its own time, through an HPA of its own.
 */
import { FarmError, limits, type PoolId } from "@zfarm/contract";
import { forEachBounded } from "@zfarm/runtime";
import type { Actuator, PoolFleet, PoolScaling, ScalingResult } from "../actuator.ts";
import { markPods, unmarkPods } from "../kubernetes/deletion-mark.ts";
import type { KubernetesApi } from "../kubernetes/kubernetes-api.ts";
import { KubernetesFleet, type KubernetesFleetNeeds } from "../kubernetes/kubernetes-fleet.ts";
import type { Pod } from "../kubernetes/kubernetes-objects.ts";

export interface KedaActuatorNeeds extends KubernetesFleetNeeds {
  /** Pool to the name of its Deployment. */
  readonly targets: ReadonlyMap<PoolId, string>;
}

export class KedaActuator implements Actuator {
  readonly name = "keda";
  readonly #needs: KedaActuatorNeeds;
  readonly #fleet: KubernetesFleet;
  /** What this term's decisions came to. */
  readonly #asked = new Map<PoolId, number>();

  constructor(needs: KedaActuatorNeeds) {
    this.#needs = needs;
    this.#fleet = new KubernetesFleet(needs);
  }

  async observe(stop: AbortSignal): Promise<readonly PoolFleet[]> {
    const { targets, log } = this.#needs;
    const fleets: PoolFleet[] = [];
    await forEachBounded([...targets], limits.kubernetesParallel, async ([pool, deployment]) => {
      const asked = this.#asked.get(pool);
      const fleet = await this.#fleet.observe({ pool, deployment, asked }, stop);
      if (fleet === undefined) log.warn({ pool, deployment }, "pool has no Deployment");
      else fleets.push(fleet);
    });
    return fleets;
  }

  async apply(scaling: PoolScaling, stop: AbortSignal): Promise<ScalingResult> {
    const { pool, desired, victims, spared = [] } = scaling;
    const isNew = this.#asked.get(pool) !== desired || victims.length + spared.length > 0;
    if (!isNew) return "unchanged";
    const leaving = this.#fleet.podsOf(pool, victims);
    if (leaving.length < victims.length || !(await this.#mark(leaving, stop))) return "conflict";
    this.#asked.set(pool, desired);
    await this.#annotate(unmarkPods, this.#fleet.podsOf(pool, spared), stop);
    return "applied";
  }

  rest(): void {
    this.#asked.clear();
  }

  async close(): Promise<void> {
    await this.#needs.api.close();
  }

  /** Victims have finished all they had; where they cannot be marked, KEDA's choice is a guess. */
  async #mark(leaving: readonly Pod[], stop: AbortSignal): Promise<boolean> {
    const areThere = await this.#annotate(markPods, leaving, stop);
    if (areThere !== false) return true;
    await this.#annotate(unmarkPods, leaving, stop);
    return false;
  }

  /** Undefined where the rights do not allow it, or nobody answers. */
  async #annotate<Result>(
    change: (api: KubernetesApi, pods: readonly Pod[], stop: AbortSignal) => Promise<Result>,
    pods: readonly Pod[],
    stop: AbortSignal,
  ): Promise<Result | undefined> {
    const { api, log } = this.#needs;
    try {
      return await change(api, pods, stop);
    } catch (error) {
      if (stop.aborted || !(error instanceof FarmError)) throw error;
      log.warn({ error }, "pods that are to go are not marked");
      return undefined;
    }
  }
}
