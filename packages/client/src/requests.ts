/** Turns what a caller says into what the farm is told. */
import {
  type ImageSpec,
  Job,
  type RenderImageRequest,
  type Scheduling,
  type UpdateJobRequest,
} from "@zfarm/contract";
import type { RenderOptions, SchedulingChanges, Spec } from "./farm-client.ts";

export function renderRequest(
  spec: Spec,
  options: RenderOptions,
  requestId: string,
): RenderImageRequest {
  return {
    parent: options.parent ?? "",
    requestId,
    pool: options.pool ?? "",
    image: imageOf(spec),
    includeData: options.includeData ?? false,
    scheduling: schedulingOf(options.scheduling),
  };
}

export function imageOf({ prompt, width, height, steps, seed, loras, guidance }: Spec): ImageSpec {
  return {
    prompt,
    width: width ?? 0,
    height: height ?? 0,
    steps: steps ?? 0,
    seed,
    loras: loras ?? [],
    guidance: guidance && {
      scale: guidance.scale,
      negativePrompt: guidance.negativePrompt ?? "",
      normalization: guidance.normalization ?? 0,
      truncation: guidance.truncation,
    },
  };
}

/** Undefined where nothing is said, so that the farm's defaults hold. */
export function schedulingOf(asked: SchedulingChanges | undefined): Scheduling | undefined {
  if (asked === undefined) return undefined;
  return {
    priorityClass: asked.priorityClass ?? 0,
    priority: asked.priority ?? 0,
    deadlineTime: asked.deadlineTime,
    maxConcurrency: asked.maxConcurrency ?? 0,
    maxFailedTasks: asked.maxFailedTasks ?? 0,
    sampleTasks: asked.sampleTasks ?? 0,
  };
}

const maskPaths: Readonly<Record<keyof Scheduling, string>> = {
  priorityClass: "scheduling.priority_class",
  priority: "scheduling.priority",
  deadlineTime: "scheduling.deadline_time",
  maxConcurrency: "scheduling.max_concurrency",
  maxFailedTasks: "scheduling.max_failed_tasks",
  sampleTasks: "scheduling.sample_tasks",
};

/** A field that is there changes, also where it is undefined: that clears it. */
export function updateRequest(
  name: string,
  changes: SchedulingChanges,
  etag = "",
): UpdateJobRequest {
  const fields = Object.keys(changes) as (keyof Scheduling)[];
  const job = Job.create({ name, etag, scheduling: schedulingOf(changes) });
  return { job, updateMask: fields.map((field) => maskPaths[field]) };
}
