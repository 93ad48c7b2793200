/** Finds who else changes the number of pods of a Deployment: two of them would fight for ever. */
import type { KubernetesApi } from "./kubernetes-api.ts";
import type { Scaler } from "./kubernetes-objects.ts";

/** Deployment to the object that scales it, such as `HorizontalPodAutoscaler farm/worker`. */
export async function findOtherScalers(
  api: KubernetesApi,
  stop: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  const [autoscalers, scaledObjects] = await Promise.all([
    api.listAutoscalers(stop),
    api.listScaledObjects(stop),
  ]);
  const found = new Map<string, string>();
  const note = (kind: string, scalers: readonly Scaler[]): void => {
    for (const { metadata, spec } of scalers) {
      const { kind: targetKind = "Deployment", name = "" } = spec?.scaleTargetRef ?? {};
      if (targetKind === "Deployment") found.set(name, `${kind} ${api.namespace}/${metadata.name}`);
    }
  };
  note("HorizontalPodAutoscaler", autoscalers);
  // Last: KEDA makes an HPA of its own for each, and its ScaledObject is what one has to look at.
  note("ScaledObject", scaledObjects);
  return found;
}
