/** Decides which fields of a job's scheduling an update changes. */
import type { Scheduling } from "@zfarm/contract";
import { type MaskRules, readFieldMask } from "./field-mask.ts";
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
  return readFieldMask(mask, rules, violations);
}

const rules: MaskRules<SchedulingField> = {
  choices: [...fieldsByPath.keys()],
  find: (path) => {
    if (path === "scheduling") return allFields;
    const field = fieldsByPath.get(path.replace(/^scheduling\./, ""));
    return field === undefined ? undefined : [field];
  },
};

/** `base`, with the fields taken from `changes`. */
export function applyMask(
  base: Scheduling,
  changes: Scheduling,
  fields: ReadonlySet<SchedulingField>,
): Scheduling {
  const entries = [...fields].map((field) => [field, changes[field]]);
  return { ...base, ...Object.fromEntries(entries) };
}
