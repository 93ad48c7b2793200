/**
 * Decides whether a request to render can be admitted: everything that is wrong with it at once,
 * or the submission with every name parsed and every default but the seed filled in.
 */
import {
  defaultPool,
  FarmError,
  type ImageSpec,
  isRequestId,
  limits,
  nameRule,
  type PoolId,
  type PoolRecord,
  type ProjectId,
  parsePoolId,
  parseProjectName,
  requestIdRule,
  type Scheduling,
} from "@zfarm/contract";
import { checkDisplayName } from "./check-text.ts";
import { checkImage, fillDefaults } from "./image-rules.ts";
import { checkScheduling, fillScheduling } from "./scheduling-rules.ts";
import { type Fault, Violations } from "./violations.ts";

/** What the three ways to submit have in common, as it came. */
export interface Draft {
  readonly parent: string;
  readonly requestId: string;
  readonly pool: string;
  readonly displayName: string;
  readonly images: readonly ImageSpec[];
  /** What the client calls its pictures: `image` where there is one, or `images[i]`. */
  readonly kind: "image" | "images";
  /** Absent: competes as its kind does by default. */
  readonly scheduling?: Scheduling | undefined;
}

/** A request that may be stored. */
export interface Submission {
  readonly project: ProjectId;
  readonly pool: PoolId;
  /** Empty where the client gave none. */
  readonly requestId: string;
  readonly displayName: string;
  readonly images: readonly ImageSpec[];
  readonly scheduling: Scheduling;
}

/** What a draft is checked against. */
export interface Surroundings {
  /** What the pool can do; undefined where it was never seen. */
  readonly pool: PoolRecord | undefined;
  /** Milliseconds since the epoch. */
  readonly nowMs: number;
}

/** The pool a draft names, to look its record up before the rest is checked. */
export function poolOfDraft(draft: Draft): PoolId | undefined {
  return draft.pool === "" ? defaultPool : parsePoolId(draft.pool);
}

/**
 * The submission, or INVALID_REQUEST with all violations, or NO_CAPABLE_POOL where nothing is
 * wrong but no worker of the pool has ever been seen.
 */
export function validateDraft(draft: Draft, { pool: record, nowMs }: Surroundings): Submission {
  const violations = new Violations();
  const project = parseProjectName(draft.parent);
  const pool = poolOfDraft(draft);
  if (project === undefined) violations.add("parent", badName("projects/{project}", "project"));
  if (pool === undefined) violations.add("pool", badName("{pool}", "pool"));
  violations.add("request_id", checkRequestId(draft.requestId));
  violations.add("display_name", checkDisplayName(draft.displayName));
  checkImages(draft, record, violations);
  if (draft.scheduling !== undefined) {
    const place = { path: "scheduling", tasks: draft.images.length, nowMs };
    checkScheduling(draft.scheduling, place, violations);
  }
  if (project === undefined || pool === undefined || violations.count > 0) {
    throw violations.toError();
  }
  if (record === undefined) {
    throw new FarmError("NO_CAPABLE_POOL", `no worker of pool ${pool} has started yet`);
  }
  const images = draft.images.map((image) => fillDefaults(image, record));
  const { requestId, displayName } = draft;
  const scheduling = fillScheduling(draft.scheduling, draft.kind);
  return { project, pool, requestId, displayName, images, scheduling };
}

/** Too many pictures, decided by their number alone, before they are decoded. */
export function checkImageCount(count: number): Fault | undefined {
  const max = limits.tasksPerJobMax;
  if (count <= max) return undefined;
  return { reason: "TOO_MANY", description: `holds ${count} pictures; at most ${max} are allowed` };
}

function checkImages(draft: Draft, pool: PoolRecord | undefined, violations: Violations): void {
  const fault = checkImageCount(draft.images.length);
  if (draft.images.length === 0 || fault !== undefined) {
    violations.add(draft.kind, fault ?? { reason: "REQUIRED", description: "must be given" });
    return;
  }
  draft.images.forEach((image, index) => {
    checkImage(image, { path: pathOfImage(draft, index), pool }, violations);
  });
}

/** Where a picture stands in the request. */
export function pathOfImage({ kind }: Pick<Draft, "kind">, index: number): string {
  return kind === "image" ? "image" : `images[${index}]`;
}

export function checkRequestId(requestId: string): Fault | undefined {
  if (requestId === "" || isRequestId(requestId)) return undefined;
  return { reason: "BAD_ID", description: `must be ${requestIdRule}` };
}

function badName(pattern: string, part: string): Fault {
  return { reason: "BAD_NAME", description: `must be ${pattern}; a ${part} is ${nameRule}` };
}
