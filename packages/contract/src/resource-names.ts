/** Resource names of the public API, built and parsed in one place. */
import {
  defaultProject,
  type JobId,
  type ProjectId,
  parseJobId,
  parseProjectId,
  type TaskId,
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
