/** A job with live tasks: its tasks by index, what is wanted of it, what it runs. */
import {
  type JobControl,
  type JobRef,
  limits,
  PriorityClass,
  type Scheduling,
  type TaskPriority,
} from "@zfarm/contract";
import type { Lot } from "./lot.ts";
import type { PoolEntry } from "./pool-entry.ts";
import type { ProjectEntry } from "./project-entry.ts";
import type { TaskEntry } from "./task-entry.ts";

export class JobEntry {
  readonly ref: JobRef;
  readonly pool: PoolEntry;
  readonly project: ProjectEntry;
  /** By index; tasks that ended leave a hole. */
  readonly tasks: (TaskEntry | undefined)[] = [];
  readonly lots = new Map<string, Lot>();
  live = 0;
  running = 0;
  /** Tasks that failed, as far as this leader has heard. */
  failed = 0;
  control: JobControl | undefined;

  constructor(ref: JobRef, owner: { pool: PoolEntry; project: ProjectEntry }) {
    this.ref = ref;
    this.pool = owner.pool;
    this.project = owner.project;
  }

  get scheduling(): Scheduling | undefined {
    return this.control?.scheduling;
  }

  /** Running tasks that it never exceeds. */
  get runningMax(): number {
    return this.scheduling?.maxConcurrency || Number.POSITIVE_INFINITY;
  }

  get failedMax(): number {
    return this.scheduling?.maxFailedTasks || Number.POSITIVE_INFINITY;
  }
}

type Stated = Pick<TaskPriority, "priorityClass" | "priority" | "deadlineTime">;

export interface Priority {
  readonly priorityClass: PriorityClass;
  /** 1 to 100. */
  readonly priority: number;
  /** Milliseconds; Infinity where the job has none. */
  readonly deadlineAt: number;
}

/** How the tasks of a lot compete: as the job's control says, else as they were created. */
export function priorityOf(lot: Lot): Priority {
  const stated: Stated | undefined = lot.job.scheduling ?? lot.template.priority;
  const deadlineAt = stated?.deadlineTime?.getTime() ?? Number.NaN;
  return {
    priorityClass: stated?.priorityClass || PriorityClass.STANDARD,
    priority: stated?.priority || limits.priorityDefault,
    deadlineAt: Number.isNaN(deadlineAt) ? Number.POSITIVE_INFINITY : deadlineAt,
  };
}
