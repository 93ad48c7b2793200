/** Decides which fields of a job's scheduling an update changes. */
import { limits, type Scheduling } from "@zfarm/contract";
import type { Violations } from "./violations.ts";

type SchedulingField = keyof Scheduling;

const fieldsByPath: ReadonlyMap<string, SchedulingField> = new Map([
  ["priority_class", "priorityClass"],
  ["priority", "priority"],
  ["deadline_time", "deadlineTime"],
  ["max_concurrency", "maxConcurrency"],
  ["max_failed_tasks", "maxFailedTasks"],
  ["sample_tasks", "sampleTasks"],
]);

/** Every field: what the path of the whole message means. */
const allFields: readonly SchedulingField[] = [...fieldsByPath.values()];

/**
 * The fields that a mask names, as `priority`, as `scheduling.priority`, or all of them as
 * `scheduling`; adds a violation for each path that is none of these.
 */
export function readMask(
  mask: readonly string[] | undefined,
  violations: Violations,
): ReadonlySet<SchedulingField> {
  const paths = mask ?? [];
  if (paths.length === 0) {
    violations.add("update_mask", { reason: "REQUIRED", description: `must name ${choices}` });
  }
  if (paths.length > limits.maskPathsMax) {
    const description = `holds ${paths.length} paths; at most ${limits.maskPathsMax} are allowed`;
    violations.add("update_mask", { reason: "TOO_MANY", description });
    return new Set();
  }
  const named = paths.flatMap((path, index) => {
    if (path === "scheduling") return allFields;
    const field = fieldsByPath.get(path.replace(/^scheduling\./, ""));
    if (field !== undefined) return [field];
    const description = `is no field that can change; those are ${choices}`;
    violations.add(`update_mask.paths[${index}]`, { reason: "UNKNOWN_FIELD", description });
    return [];
  });
  return new Set(named);
}

/** `base`, with the fields taken from `changes`. */
export function applyMask(
  base: Scheduling,
  changes: Scheduling,
  fields: ReadonlySet<SchedulingField>,
): Scheduling {
  const entries = [...fields].map((field) => [field, changes[field]]);
  return { ...base, ...Object.fromEntries(entries) };
}

const choices = [...fieldsByPath.keys()].join(", ");
