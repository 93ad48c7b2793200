/**
 * Hands on Kubernetes: a pool is a Deployment, and the number of its pods is changed through its
 * scale, never against somebody who changed it meanwhile. Nothing relies on a watch: whoever acts
 * has looked right before.
 */
import { FarmError, limits, type PoolId } from "@zfarm/contract";
import { ConfigError, forEachBounded, invariant } from "@zfarm/runtime";
import type { Actuator, PoolFleet, PoolScaling, ScalingResult } from "../actuator.ts";
import { markPods, unmarkPods } from "./deletion-mark.ts";
import type { DeploymentScale } from "./kubernetes-api.ts";
import { KubernetesFleet, type KubernetesFleetNeeds } from "./kubernetes-fleet.ts";
import type { Pod } from "./kubernetes-objects.ts";
import type { KubernetesMetrics } from "./metrics.ts";
import { findOtherScalers } from "./other-scalers.ts";
import { ScalingEvents } from "./scaling-events.ts";

export interface KubernetesActuatorNeeds extends KubernetesFleetNeeds {
  /** Pool to the name of its Deployment. */
  readonly targets: ReadonlyMap<PoolId, string>;
  readonly metrics: KubernetesMetrics;
}

export class KubernetesActuator implements Actuator {
  readonly name = "kubernetes";
  readonly #needs: KubernetesActuatorNeeds;
  readonly #fleet: KubernetesFleet;
  readonly #events: ScalingEvents;
  /** Why pools are left alone. */
  readonly #hindrances = new Map<PoolId, string>();

  constructor(needs: KubernetesActuatorNeeds) {
    this.#needs = needs;
    this.#fleet = new KubernetesFleet(needs);
    this.#events = new ScalingEvents(needs);
  }

  /** Throws ConfigError where a pool's Deployment has another scaler already. */
  async refuseOthers(stop: AbortSignal): Promise<void> {
    const { api, targets } = this.#needs;
    const others = await findOtherScalers(api, stop);
    const problems = [...targets].flatMap(([pool, target]) => {
      const other = others.get(target);
      return other === undefined ? [] : [describeOther(pool, target, other)];
    });
    if (problems.length > 0) throw new ConfigError(problems);
  }

  /** Pools that are left alone are left out. */
  async observe(stop: AbortSignal): Promise<readonly PoolFleet[]> {
    const { api, targets } = this.#needs;
    const others = await findOtherScalers(api, stop);
    const fleets: PoolFleet[] = [];
    await forEachBounded([...targets], limits.kubernetesParallel, async ([pool, target]) => {
      const other = others.get(target);
      if (other !== undefined) return this.#hinder(pool, describeOther(pool, target, other));
      const fleet = await this.#fleet.observe({ pool, deployment: target }, stop);
      if (fleet === undefined) {
        return this.#hinder(pool, `pool ${pool}: there is no Deployment ${target}`);
      }
      this.#hinder(pool, undefined);
      fleets.push(fleet);
    });
    return fleets;
  }

  async apply(scaling: PoolScaling, stop: AbortSignal): Promise<ScalingResult> {
    const { pool, desired, target, victims } = scaling;
    if (desired === target) return "unchanged";
    if (this.#hindrances.has(pool)) return "failed";
    const { api, targets } = this.#needs;
    const deployment = targets.get(pool);
    invariant(deployment !== undefined, `pool ${pool} has a Deployment`);
    const scale = await api.readScale(deployment, stop);
    if (scale?.replicas !== target) return "conflict";
    const leaving = this.#fleet.podsOf(pool, victims);
    // One that is gone already has been replaced: lowering the number would take another.
    if (leaving.length < victims.length) return "conflict";
    const result = await this.#changeScale(scale, { scaling, leaving }, stop);
    if (result === "applied") await this.#events.tell(scale, scaling, stop);
    return result;
  }

  /** Why a pool cannot be scaled; undefined where all of them can. */
  problem(): string | undefined {
    return [...this.#hindrances.values()][0];
  }

  rest(): void {
    this.#hindrances.clear();
    this.#needs.metrics.hindered.reset();
  }

  async close(): Promise<void> {
    await this.#needs.api.close();
  }

  async #changeScale(
    scale: DeploymentScale,
    { scaling, leaving }: { readonly scaling: PoolScaling; readonly leaving: readonly Pod[] },
    stop: AbortSignal,
  ): Promise<ScalingResult> {
    const { api, clock } = this.#needs;
    const areThere = await markPods(api, leaving, stop);
    if (areThere && leaving.length > 0) await clock.sleep(limits.kubernetesMarksSeenMs, stop);
    const isDone = areThere && (await this.#replace(scale, scaling.desired, stop));
    if (isDone) return "applied";
    await unmarkPods(api, leaving, stop);
    return "conflict";
  }

  /**
   * The server compares versions, and each pod that comes up or goes makes a new one: where only
   * that was in the way, and the number is as it was, it is tried again.
   */
  async #replace(scale: DeploymentScale, desired: number, stop: AbortSignal): Promise<boolean> {
    let seen: DeploymentScale | undefined = scale;
    for (let attempt = 1; attempt <= limits.kubernetesTriesMax; attempt += 1) {
      if (seen?.uid !== scale.uid || seen.replicas !== scale.replicas) return false;
      if (await this.#replaceSeen(seen, desired, stop)) return true;
      seen = await this.#needs.api.readScale(scale.deployment, stop);
    }
    return false;
  }

  /** An answer that got lost does not say whether the scale was changed: it is looked up. */
  async #replaceSeen(scale: DeploymentScale, desired: number, stop: AbortSignal): Promise<boolean> {
    const { api } = this.#needs;
    try {
      return await api.replaceScale(scale, desired, stop);
    } catch (error) {
      if (stop.aborted || !(error instanceof FarmError)) throw error;
      const after = await api.readScale(scale.deployment, stop);
      if (after?.replicas === desired) return true;
      throw error;
    }
  }

  #hinder(pool: PoolId, hindrance: string | undefined): void {
    const { log, metrics } = this.#needs;
    metrics.hindered.set({ pool }, hindrance === undefined ? 0 : 1);
    if (this.#hindrances.get(pool) === hindrance) return;
    if (hindrance === undefined) this.#hindrances.delete(pool);
    else this.#hindrances.set(pool, hindrance);
    const fields = { pool, ...(hindrance === undefined ? {} : { hindrance }) };
    if (hindrance === undefined) log.info(fields, "pool is scaled again");
    else log.error(fields, "pool is left alone");
  }
}

function describeOther(pool: PoolId, target: string, other: string): string {
  return (
    `pool ${pool}: ${other} scales Deployment ${target} too; ` +
    "delete it, or set AUTOSCALER to none or keda"
  );
}
