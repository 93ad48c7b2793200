/** Sees the workers of pools as pods of their Deployments, and takes back marks of no use. */
import { FarmError, type PoolId, type WorkerId } from "@zfarm/contract";
import type { Clock, Log } from "@zfarm/runtime";
import type { FleetMember, PoolFleet } from "../actuator.ts";
import { isMarked, unmarkPods } from "./deletion-mark.ts";
import type { KubernetesApi } from "./kubernetes-api.ts";
import type { Pod } from "./kubernetes-objects.ts";
import { isLive, isStopping, toMember } from "./pod-member.ts";

export interface KubernetesFleetNeeds {
  readonly api: KubernetesApi;
  readonly clock: Clock;
  readonly log: Log;
}

/** Where the pods of a pool are found. */
export interface PoolPlace {
  readonly pool: PoolId;
  readonly deployment: string;
  /** How many there should be, where somebody else will set the scale to that later. */
  readonly asked?: number | undefined;
}

interface SeenPod {
  readonly pod: Pod;
  readonly member: FleetMember;
}

export class KubernetesFleet {
  readonly #needs: KubernetesFleetNeeds;
  /** As of the last look. */
  readonly #seen = new Map<PoolId, ReadonlyMap<WorkerId, SeenPod>>();

  constructor(needs: KubernetesFleetNeeds) {
    this.#needs = needs;
  }

  /** Undefined where there is no such Deployment. */
  async observe(
    { pool, deployment, asked }: PoolPlace,
    stop: AbortSignal,
  ): Promise<PoolFleet | undefined> {
    const { api } = this.#needs;
    const scale = await api.readScale(deployment, stop);
    if (scale === undefined) return undefined;
    const { selector, replicas: target } = scale;
    // An empty selector would be one of all pods there are.
    if (selector === "") {
      throw new FarmError("CLUSTER_UNAVAILABLE", `Deployment ${deployment} selects no pods`);
    }
    const pods = await api.listPods(selector, stop);
    await this.#takeBackMarks(pods, Math.min(target, asked ?? target), stop);
    return { pool, target, members: this.#remember(pool, pods) };
  }

  /** The pods of workers, as they were when last seen; without those that are not there. */
  podsOf(pool: PoolId, workers: readonly WorkerId[]): Pod[] {
    const seen = this.#seen.get(pool);
    return workers.map((worker) => seen?.get(worker)?.pod).filter((pod) => pod !== undefined);
  }

  #remember(pool: PoolId, pods: readonly Pod[]): FleetMember[] {
    const now = this.#needs.clock.now();
    const before = this.#seen.get(pool);
    const seen = new Map<WorkerId, SeenPod>();
    for (const pod of pods) {
      const member = toMember(pod, now);
      if (member === undefined) continue;
      // Of a worker that is ready once more, it is the first time that tells how long it started.
      const readyAt = before?.get(member.worker)?.member.readyAt;
      const known = readyAt === undefined ? member : { ...member, readyAt };
      // The rest of it is a few kilobytes that nobody asks for again.
      const { name, annotations = {} } = pod.metadata;
      seen.set(member.worker, { pod: { metadata: { name, annotations } }, member: known });
    }
    this.#seen.set(pool, seen);
    return [...seen.values()].map(({ member }) => member);
  }

  /**
   * A mark means something between its making and the end of one of the pods. Where there are no
   * more pods than wanted, those that still bear one were spared: another pod went, the scale was
   * not lowered after all, or who marked them died before it could be.
   */
  async #takeBackMarks(pods: readonly Pod[], wanted: number, stop: AbortSignal): Promise<void> {
    const { api, log } = this.#needs;
    const staying = pods.filter((pod) => isLive(pod) && !isStopping(pod));
    const spared = staying.filter(isMarked);
    if (spared.length === 0 || staying.length > wanted) return;
    log.warn({ pods: spared.map(({ metadata }) => metadata.name) }, "marked pods were spared");
    await unmarkPods(api, spared, stop);
  }
}
