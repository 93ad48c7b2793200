/** How a project shares the farm: the public view of its policy, and what a policy may say. */
import { limits, type ProjectPolicy, type ProjectShare, projectName } from "@zfarm/contract";
import type { Fault, Violations } from "./violations.ts";

export function shareOf({ project, ...policy }: ProjectPolicy): ProjectShare {
  return { name: projectName(project), ...policy, weight: policy.weight || 1 };
}

/** What holds for a project that nobody wrote a policy for. */
export function plainPolicy(project: string): ProjectPolicy {
  return { project, weight: 1, guaranteeTasks: 0, burstTasks: 0, queuedTasksMax: 0 };
}

export function policyOf(project: string, share: ProjectShare): ProjectPolicy {
  const { weight, guaranteeTasks, burstTasks, queuedTasksMax } = share;
  return { project, weight: weight || 1, guaranteeTasks, burstTasks, queuedTasksMax };
}

/** Adds every violation of what an operator wants. */
export function checkShare(share: ProjectShare, violations: Violations): void {
  const { weight, guaranteeTasks, burstTasks, queuedTasksMax } = share;
  violations.add("share.weight", checkMax(weight, limits.projectWeightMax));
  const guaranteeFault =
    checkMax(guaranteeTasks, limits.projectRunningMax) ?? checkOrder(guaranteeTasks, burstTasks);
  violations.add("share.guarantee_tasks", guaranteeFault);
  violations.add("share.burst_tasks", checkMax(burstTasks, limits.projectRunningMax));
  violations.add("share.queued_tasks_max", checkMax(queuedTasksMax, limits.queueTasksMax));
}

function checkMax(value: number, max: number): Fault | undefined {
  if (value <= max) return undefined;
  return { reason: "OUT_OF_RANGE", description: `is ${value}; at most ${max} is allowed` };
}

function checkOrder(guarantee: number, burst: number): Fault | undefined {
  if (burst === 0 || guarantee <= burst) return undefined;
  const description = `is ${guarantee}, more than burst_tasks, which is ${burst}`;
  return { reason: "OUT_OF_RANGE", description };
}
