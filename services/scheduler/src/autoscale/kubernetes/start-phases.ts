/** Reads from a pod where the time of its start went: to a node, an image, weights, the worker. */
import type { PhaseTimes } from "../../domain/autoscale/fleet.ts";
import type { ContainerStatus, Pod } from "./kubernetes-objects.ts";

interface KnownTimes {
  readonly createdAt: number;
  readonly scheduledAt: number;
  readonly readyAt: number;
}

/**
 * Kubernetes tells whole seconds. `image` has volumes and the pod's network in it; `weights` is
 * what brings the model before the worker starts, and zero where nothing has to.
 */
export function phasesOf({ status }: Pod, known: KnownTimes): PhaseTimes {
  const { createdAt, scheduledAt, readyAt } = known;
  const node = scheduledAt - createdAt;
  const workerAt = firstStart(status?.containerStatuses);
  if (workerAt === undefined) return { node };
  const firstAt = firstStart(status?.initContainerStatuses) ?? workerAt;
  return {
    node,
    image: firstAt - scheduledAt,
    weights: workerAt - firstAt,
    worker: readyAt - workerAt,
  };
}

function firstStart(containers: readonly ContainerStatus[] = []): number | undefined {
  const starts = containers.flatMap(({ state }) => {
    const { startedAt } = state?.running ?? state?.terminated ?? {};
    return startedAt === undefined ? [] : [Date.parse(startedAt)];
  });
  return starts.length === 0 ? undefined : Math.min(...starts);
}
