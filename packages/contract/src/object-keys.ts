/**
 * Every key the farm uses in the object store. What belongs to an attempt lies below its task;
 * names of projects begin with a letter, so what begins with `_` is the farm's own.
 */
import {
  base32Alphabet,
  type JobId,
  type LoraDigest,
  type ProjectId,
  parseJobId,
  parseLoraDigest,
  parseLoraId,
  parseProjectId,
  type TaskId,
} from "./ids.ts";
import type { JobRef, LoraName } from "./resource-names.ts";

/** Where an attempt puts its picture: the fence keeps attempts apart. */
export function imageKey(id: TaskId, fence: bigint): string {
  return `${jobPrefix(id)}${id.index}/${fence}.png`;
}

/** Where a copy of an outcome lies; fence 0 for those that nobody rendered. */
export function outcomeCopyKey(id: TaskId, fence: bigint): string {
  return `${jobPrefix(id)}${id.index}/${fence}.outcome`;
}

/** Where an attempt that is handed back puts what it has done. */
export function latentsKey(id: TaskId, fence: bigint): string {
  return `${jobPrefix(id)}${id.index}/${fence}.latents`;
}

/** Everything that attempts of a job have put. */
export function jobPrefix({ project, job }: JobRef): string {
  return `${project}/${job}/`;
}

/** Everything that attempts of a project's jobs have put, in parts of about one size. */
export function projectParts(project: ProjectId): string[] {
  return Array.from(base32Alphabet, (digit) => `${project}/${digit}`);
}

/** About one of `projectSampleOf` objects of them: those of jobs whose ids begin as this one's. */
export function projectSample({ project, job }: JobRef): string {
  return `${project}/${job.slice(0, 2)}`;
}

export const projectSampleOf = base32Alphabet.length ** 2;

export const manifestPrefix = "_manifests/";

/** Where the manifest of a job lies. */
export function manifestKey({ project, job }: JobRef): string {
  return `${manifestPrefix}${project}/${job}.bin`;
}

/** Where a copy of what is wanted of a job lies. */
export function controlCopyKey({ project, job }: JobRef): string {
  return `_controls/${project}/${job}.bin`;
}

/** Where the files of adapters lie, whoever uploaded them: equal files are one object. */
export const loraPrefix = "loras/";

export function loraKey(digest: LoraDigest): string {
  return `${loraPrefix}${digest}.safetensors`;
}

/** The digest of an adapter's key; undefined for other keys. */
export function parseLoraKey(key: string): LoraDigest | undefined {
  const [, digest] = /^loras\/([^/.]+)\.safetensors$/.exec(key) ?? [];
  return digest === undefined ? undefined : parseLoraDigest(digest);
}

export const loraCopyPrefix = "_loras/";

/** Where a copy of an adapter's record lies. */
export function loraCopyKey({ project, lora }: LoraName): string {
  return `${loraCopyPrefix}${project}/${lora}.bin`;
}

/** The adapter of a copy's key; undefined for other keys. */
export function parseLoraCopyKey(key: string): LoraName | undefined {
  const [, projectPart = "", loraPart = ""] = /^_loras\/([^/]+)\/([^/.]+)\.bin$/.exec(key) ?? [];
  const [project, lora] = [parseProjectId(projectPart), parseLoraId(loraPart)];
  return project === undefined || lora === undefined ? undefined : { project, lora };
}

/** The job of a manifest's key; undefined for other keys. */
export function parseManifestKey(key: string): JobRef | undefined {
  const match = /^_manifests\/([^/]+)\/([^/.]+)\.bin$/.exec(key);
  return match === null ? undefined : parseRef(match[1], match[2]);
}

/** An object that an attempt has put. */
export interface AttemptObject {
  readonly task: TaskId;
  readonly fence: bigint;
  readonly kind: "image" | "outcome-copy" | "latents";
}

const kinds: Readonly<Record<string, AttemptObject["kind"]>> = {
  png: "image",
  outcome: "outcome-copy",
  latents: "latents",
};

const attemptPattern =
  /^([^/]+)\/([^/]+)\/(0|[1-9]\d{0,8})\/(0|[1-9]\d{0,19})\.(png|outcome|latents)$/;

/** What a key stands for where an attempt could have put it; undefined for all other keys. */
export function parseAttemptKey(key: string): AttemptObject | undefined {
  const match = attemptPattern.exec(key);
  const ref = match === null ? undefined : parseRef(match[1], match[2]);
  if (match === null || ref === undefined) return undefined;
  const task = { ...ref, index: Number(match[3]) };
  const kind = kinds[match[5] ?? ""];
  return kind === undefined ? undefined : { task, fence: BigInt(match[4] ?? 0), kind };
}

function parseRef(project = "", job = ""): { project: ProjectId; job: JobId } | undefined {
  const [projectId, jobId] = [parseProjectId(project), parseJobId(job)];
  if (projectId === undefined || jobId === undefined) return undefined;
  return { project: projectId, job: jobId };
}
