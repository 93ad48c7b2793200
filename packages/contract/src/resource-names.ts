/** Resource names of the public API, built and parsed in one place. */
import {
  defaultProject,
  type JobId,
  type PoolId,
  type ProjectId,
  parseJobId,
  parsePoolId,
  parseProjectId,
  parseWorkerId,
  type TaskId,
  type WorkerId,
} from "./ids.ts";

export interface JobRef {
  readonly project: ProjectId;
  readonly job: JobId;
}

export function jobName(ref: JobRef): string {
  return `projects/${ref.project}/jobs/${ref.job}`;
}

export function taskName(id: TaskId): string {
  return `${jobName(id)}/tasks/${id.index}`;
}

export function projectName(project: string): string {
  return `projects/${project}`;
}

export function poolName(pool: string): string {
  return `pools/${pool}`;
}

export function workerName(worker: string): string {
  return `workers/${worker}`;
}

/** The project of `projects/{project}`; the empty name is the default project. */
export function parseProjectName(name: string): ProjectId | undefined {
  if (name === "") return defaultProject;
  const match = /^projects\/([^/]+)$/.exec(name);
  return match?.[1] === undefined ? undefined : parseProjectId(match[1]);
}

/** The parts of `projects/{project}/jobs/{job}`. */
export function parseJobName(name: string): JobRef | undefined {
  const match = /^projects\/([^/]+)\/jobs\/([^/]+)$/.exec(name);
  if (match?.[1] === undefined || match[2] === undefined) return undefined;
  const project = parseProjectId(match[1]);
  const job = parseJobId(match[2]);
  return project === undefined || job === undefined ? undefined : { project, job };
}

/** The parts of `projects/{project}/jobs/{job}/tasks/{index}`. */
export function parseTaskName(name: string): TaskId | undefined {
  const match = /^(.+)\/tasks\/(0|[1-9]\d{0,8})$/.exec(name);
  const job = parseJobName(match?.[1] ?? "");
  return job === undefined ? undefined : { ...job, index: Number(match?.[2]) };
}

/** What operators drain: one worker or a whole pool. */
export type FleetRef =
  | { readonly kind: "worker"; readonly worker: WorkerId }
  | { readonly kind: "pool"; readonly pool: PoolId };

/** The worker of `workers/{worker}`, or the pool of `pools/{pool}`. */
export function parseFleetName(name: string): FleetRef | undefined {
  const [, collection, id = ""] = /^(workers|pools)\/([^/]+)$/.exec(name) ?? [];
  if (collection === "workers") {
    const worker = parseWorkerId(id);
    return worker === undefined ? undefined : { kind: "worker", worker };
  }
  const pool = parsePoolId(id);
  return pool === undefined ? undefined : { kind: "pool", pool };
}
