/** Resource names of the public API, built and parsed in one place. */
import {
  defaultProject,
  type JobId,
  type LoraDigest,
  type LoraId,
  type LoraVersionId,
  type PoolId,
  type ProjectId,
  parseJobId,
  parseLoraDigest,
  parseLoraId,
  parseLoraVersionId,
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

/** An adapter of a project, whatever its version. */
export interface LoraName {
  readonly project: ProjectId;
  readonly lora: LoraId;
}

export function loraName({ project, lora }: LoraName): string {
  return `projects/${project}/loras/${lora}`;
}

/** The parts of `projects/{project}/loras/{lora}`. */
export function parseLoraName(name: string): LoraName | undefined {
  const match = /^projects\/([^/]+)\/loras\/([^/]+)$/.exec(name);
  if (match?.[1] === undefined || match[2] === undefined) return undefined;
  const project = parseProjectId(match[1]);
  const lora = parseLoraId(match[2]);
  return project === undefined || lora === undefined ? undefined : { project, lora };
}

/** The parts of `projects/{project}/loras/{lora}/versions/{version}`, or without a version. */
export function parseLoraVersionName(
  name: string,
): (LoraName & { readonly version?: LoraVersionId }) | undefined {
  const [, lora = name, versionPart] = /^(.+)\/versions\/([^/]+)$/.exec(name) ?? [];
  const parsed = parseLoraName(lora);
  if (parsed === undefined || versionPart === undefined) return parsed;
  const version = parseLoraVersionId(versionPart);
  return version === undefined ? undefined : { ...parsed, version };
}

/** How a picture names an adapter. */
export type LoraUseRef =
  | { readonly kind: "digest"; readonly digest: LoraDigest }
  /** Without a version or an alias: the newest, or what the alias `latest` says. */
  | { readonly kind: "name"; readonly lora: LoraId; readonly version?: LoraVersionId };

/** The parts of `name`, `name@version`, or a SHA-256; undefined where it is none of these. */
export function parseLoraUse(text: string): LoraUseRef | undefined {
  const digest = parseLoraDigest(text);
  if (digest !== undefined) return { kind: "digest", digest };
  const [, loraPart = "", versionPart] = /^([^@]*)(?:@([^@]*))?$/.exec(text) ?? [];
  const lora = parseLoraId(loraPart);
  if (lora === undefined) return undefined;
  if (versionPart === undefined) return { kind: "name", lora };
  const version = parseLoraVersionId(versionPart);
  return version === undefined ? undefined : { kind: "name", lora, version };
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
