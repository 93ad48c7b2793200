/**
 * Marks the pods that are to go first when a Deployment gets smaller. The mark is the cost of
 * deletion that the ReplicaSet looks at; a second annotation says that it is ours, and what was
 * there before, so that a mark which served no purpose can be taken back by whoever finds it.
 */
import { limits } from "@zfarm/contract";
import { forEachBounded } from "@zfarm/runtime";
import type { KubernetesApi } from "./kubernetes-api.ts";
import type { Pod } from "./kubernetes-objects.ts";

export const costKey = "controller.kubernetes.io/pod-deletion-cost";
export const markKey = "zfarm.io/scale-in";

/** Below what anybody sets by hand. */
const cost = "-1000000";

export function isMarked({ metadata }: Pod): boolean {
  return metadata.annotations?.[markKey] !== undefined;
}

/** False where one of them is gone already; the others may be marked then. */
export async function markPods(
  api: KubernetesApi,
  pods: readonly Pod[],
  stop: AbortSignal,
): Promise<boolean> {
  let areThere = true;
  await forEachBounded(pods, limits.kubernetesParallel, async ({ metadata }) => {
    const { annotations } = metadata;
    const before = annotations?.[markKey] ?? annotations?.[costKey] ?? "";
    const marks = { [costKey]: cost, [markKey]: before };
    if (!(await api.annotatePod(metadata.name, marks, stop))) areThere = false;
  });
  return areThere;
}

/** The cost is again what it was before the mark; `marked` are pods as they were seen then. */
export async function unmarkPods(
  api: KubernetesApi,
  marked: readonly Pod[],
  stop: AbortSignal,
): Promise<void> {
  await forEachBounded(marked, limits.kubernetesParallel, async ({ metadata }) => {
    const { annotations } = metadata;
    const before = annotations?.[markKey] ?? annotations?.[costKey] ?? "";
    const cleared = { [costKey]: before === "" ? null : before, [markKey]: null };
    await api.annotatePod(metadata.name, cleared, stop);
  });
}
