/** Identifiers: parsed once at the border, branded after, always safe inside a NATS subject. */
import { createHash, randomBytes } from "node:crypto";

declare const brand: unique symbol;
type Branded<Name extends string> = string & { readonly [brand]: Name };

export type ProjectId = Branded<"project">;
export type JobId = Branded<"job">;
export type PoolId = Branded<"pool">;
export type WorkerId = Branded<"worker">;
export type LoraId = Branded<"lora">;
/** What a version of an adapter is called, and an alias of one too. */
export type LoraVersionId = Branded<"lora-version">;
/** SHA-256 of an adapter's file, hexadecimal. */
export type LoraDigest = Branded<"lora-digest">;

/** One picture of one job. */
export interface TaskId {
  readonly project: ProjectId;
  readonly job: JobId;
  readonly index: number;
}

/** A task's identity as one string: key of maps, and the tail of its subjects. */
export type TaskKey = Branded<"task">;

const namePattern = /^[a-z][a-z0-9-]{0,62}$/;
const jobPattern = /^[a-z2-7]{26}$/;
const versionPattern = /^[a-z0-9][a-z0-9.-]{0,31}$/;
const digestPattern = /^[0-9a-f]{64}$/;

export const defaultProject = "default" as ProjectId;
export const defaultPool = "default" as PoolId;

/** What a project, pool or worker name looks like, for error texts. */
export const nameRule = "1 to 63 of a-z 0-9 -, starting with a letter";
export const versionRule = "1 to 32 of a-z 0-9 . -, starting with a letter or digit";
export const digestRule = "64 hexadecimal digits in lower case";
export const requestIdRule = "1 to 64 of A-Z a-z 0-9 _ -";

export function parseProjectId(text: string): ProjectId | undefined {
  return namePattern.test(text) ? (text as ProjectId) : undefined;
}

export function parsePoolId(text: string): PoolId | undefined {
  return namePattern.test(text) ? (text as PoolId) : undefined;
}

export function parseWorkerId(text: string): WorkerId | undefined {
  return namePattern.test(text) ? (text as WorkerId) : undefined;
}

/** Shorter than a digest, so that nobody's name can be taken for one. */
export function parseLoraId(text: string): LoraId | undefined {
  return namePattern.test(text) ? (text as LoraId) : undefined;
}

export function parseLoraVersionId(text: string): LoraVersionId | undefined {
  return versionPattern.test(text) ? (text as LoraVersionId) : undefined;
}

export function parseLoraDigest(text: string): LoraDigest | undefined {
  return digestPattern.test(text) ? (text as LoraDigest) : undefined;
}

export function parseJobId(text: string): JobId | undefined {
  return jobPattern.test(text) ? (text as JobId) : undefined;
}

export function isRequestId(text: string): boolean {
  return /^[A-Za-z0-9_-]{1,64}$/.test(text);
}

/** The job of a client's request id: the same for every retry of the same request. */
export function jobIdOfRequest(project: ProjectId, requestId: string): JobId {
  const digest = createHash("sha256").update(`${project}\n${requestId}`).digest();
  return encodeBase32(digest);
}

/** A job id nobody else has: 130 random bits. */
export function createJobId(): JobId {
  return encodeBase32(randomBytes(17));
}

export function taskKey(id: TaskId): TaskKey {
  return `${id.project}.${id.job}.${id.index}` as TaskKey;
}

/** The identity inside any message that carries project, job and index. */
export function taskIdOf(message: { project: string; job: string; index: number }): TaskId {
  return {
    project: message.project as ProjectId,
    job: message.job as JobId,
    index: message.index,
  };
}

/** What ids of jobs consist of, drawn evenly. */
export const base32Alphabet = "abcdefghijklmnopqrstuvwxyz234567";

/** The first 26 base32 digits of the bytes, lower case. */
function encodeBase32(bytes: Uint8Array): JobId {
  let text = "";
  let bits = 0;
  let value = 0;
  for (const byte of bytes) {
    value = ((value << 8) | byte) & 0xffff;
    bits += 8;
    while (bits >= 5 && text.length < 26) {
      bits -= 5;
      text += base32Alphabet[(value >> bits) & 31];
    }
  }
  return text as JobId;
}
