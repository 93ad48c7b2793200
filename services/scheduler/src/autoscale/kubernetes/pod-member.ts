/** Reads from a pod where the worker in it is in its life. */
import { limits, parseWorkerId } from "@zfarm/contract";
import type { FleetMember, MemberPhase } from "../actuator.ts";
import type { ContainerStatus, Pod, PodCondition } from "./kubernetes-objects.ts";
import { phasesOf } from "./start-phases.ts";

/** Reasons for which a container waits that no patience helps against. */
const hopeless: ReadonlySet<string> = new Set([
  "CrashLoopBackOff",
  "CreateContainerConfigError",
  "CreateContainerError",
  "ErrImageNeverPull",
  "ErrImagePull",
  "ImagePullBackOff",
  "InvalidImageName",
  "RunContainerError",
]);

/** A pod that ended counts for nothing: the cluster has replaced it already. */
export function isLive({ status }: Pod): boolean {
  return status?.phase !== "Failed" && status?.phase !== "Succeeded";
}

export function isStopping({ metadata }: Pod): boolean {
  return metadata.deletionTimestamp !== undefined;
}

/** The worker has the pod's name. Undefined for a pod that ended, or whose name none can have. */
export function toMember(pod: Pod, now: number): FleetMember | undefined {
  const worker = parseWorkerId(pod.metadata.name);
  if (worker === undefined || !isLive(pod)) return undefined;
  const createdAt = timeOf(pod.metadata.creationTimestamp) ?? now;
  const readyAt = readReadyAt(pod);
  const scheduledAt = timeOf(conditionOf(pod, "PodScheduled", "True")?.lastTransitionTime);
  return {
    worker,
    phase: readPhase(pod, now),
    createdAt,
    ...(readyAt === undefined ? {} : { readyAt }),
    ...(scheduledAt === undefined
      ? {}
      : { isOnNewNode: scheduledAt - createdAt > limits.kubernetesNewNodeMs }),
    ...(scheduledAt === undefined || readyAt === undefined
      ? {}
      : { phases: phasesOf(pod, { createdAt, scheduledAt, readyAt }) }),
  };
}

function readPhase(pod: Pod, now: number): MemberPhase {
  if (isStopping(pod)) return "stopping";
  if (conditionOf(pod, "Ready", "True") !== undefined) return "ready";
  const refused = conditionOf(pod, "PodScheduled", "False");
  if (refused?.reason === "Unschedulable") {
    const since = timeOf(refused.lastTransitionTime) ?? now;
    return now - since >= limits.kubernetesUnschedulableMs ? "unschedulable" : "starting";
  }
  return containersOf(pod).some(isCrashing) ? "crashing" : "starting";
}

function isCrashing({ restartCount = 0, state }: ContainerStatus): boolean {
  const reason = state?.waiting?.reason ?? "";
  return hopeless.has(reason) || restartCount >= limits.kubernetesRestartsMax;
}

/** When it became ready for the first time; not known of one that was started anew since. */
function readReadyAt(pod: Pod): number | undefined {
  const restarts = containersOf(pod).some(({ restartCount = 0 }) => restartCount > 0);
  const ready = conditionOf(pod, "Ready", "True");
  return restarts ? undefined : timeOf(ready?.lastTransitionTime);
}

function containersOf({ status }: Pod): readonly ContainerStatus[] {
  return [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])];
}

function conditionOf({ status }: Pod, type: string, is: string): PodCondition | undefined {
  return status?.conditions?.find(
    (condition) => condition.type === type && condition.status === is,
  );
}

function timeOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Date.parse(text);
}
