/** Reads the field mask of an update: which fields it changes, and what is wrong with it. */
import { limits } from "@zfarm/contract";
import type { Violations } from "./violations.ts";

export interface MaskRules<Field> {
  /** What may be named, for whoever named something else. */
  readonly choices: readonly string[];
  /** The fields that a path stands for; undefined where it is none. */
  readonly find: (path: string) => readonly Field[] | undefined;
}

/** Of a message whose paths are its fields. */
export function plainMask<Field extends string>(fields: readonly Field[]): MaskRules<Field> {
  return { choices: fields, find: (path) => fields.filter((field) => field === path) };
}

/** The fields that a mask names; a violation for none, for too many, and for each unknown path. */
export function readFieldMask<Field>(
  mask: readonly string[] | undefined,
  { choices, find }: MaskRules<Field>,
  violations: Violations,
): ReadonlySet<Field> {
  const paths = mask ?? [];
  const named = `must name some of ${choices.join(", ")}`;
  if (paths.length === 0) violations.add("update_mask", { reason: "REQUIRED", description: named });
  if (paths.length > limits.maskPathsMax) {
    const description = `holds ${paths.length} paths; at most ${limits.maskPathsMax} are allowed`;
    violations.add("update_mask", { reason: "TOO_MANY", description });
    return new Set();
  }
  const fields = paths.flatMap((path, index) => {
    const found = find(path) ?? [];
    const isUnknown = found.length === 0;
    const description = `must be one of ${choices.join(", ")}`;
    const fault = isUnknown ? ({ reason: "UNKNOWN_FIELD", description } as const) : undefined;
    violations.add(`update_mask.paths[${index}]`, fault);
    return found;
  });
  return new Set(fields);
}
