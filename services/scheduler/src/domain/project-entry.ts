/** A project in the whole farm: what operators want of it and what it runs in all pools. */
import type { ProjectId, ProjectPolicy } from "@zfarm/contract";
import type { ProjectLine } from "./project-line.ts";

export class ProjectEntry {
  readonly id: ProjectId;
  /** Where it has tasks that could be granted, by pool. */
  readonly lines = new Set<ProjectLine>();
  policy: ProjectPolicy | undefined = undefined;
  running = 0;
  /** Live tasks that no worker holds. */
  queued = 0;
  /** Crashed too much lately: its tasks run one at a time and alone. */
  isIsolated = false;

  constructor(id: ProjectId) {
    this.id = id;
  }

  get weight(): number {
    return this.policy?.weight || 1;
  }

  get guarantee(): number {
    return this.policy?.guaranteeTasks ?? 0;
  }

  /** Running tasks that it never exceeds. */
  get burst(): number {
    if (this.isIsolated) return 1;
    return this.policy?.burstTasks || Number.POSITIVE_INFINITY;
  }
}
