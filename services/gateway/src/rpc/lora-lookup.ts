/** Reads the names of adapters in requests. */
import {
  type LoraName,
  type LoraUseRef,
  nameRule,
  type ProjectId,
  parseLoraName,
  parseLoraUse,
  parseProjectName,
  versionRule,
} from "@zfarm/contract";
import { invalidField } from "../domain/violations.ts";

/** INVALID_REQUEST where it is none. */
export function readLoraName(name: string, field: string): LoraName {
  const parsed = parseLoraName(name);
  if (parsed !== undefined) return parsed;
  const description = `must be projects/{project}/loras/{lora}; each is ${nameRule}`;
  throw invalidField(field, { reason: "BAD_NAME", description });
}

/** INVALID_REQUEST where it is none; the empty name is the default project. */
export function readParent(parent: string): ProjectId {
  const project = parseProjectName(parent);
  if (project !== undefined) return project;
  const description = `must be projects/{project}; a project is ${nameRule}`;
  throw invalidField("parent", { reason: "BAD_NAME", description });
}

export const useRule = [
  "a name, a name@version or a SHA-256",
  `a name is ${nameRule}`,
  `a version ${versionRule}`,
].join("; ");

/** How a picture would name it. INVALID_REQUEST where it does not. */
export function readLoraUse(lora: string): LoraUseRef {
  const use = parseLoraUse(lora);
  if (use !== undefined) return use;
  throw invalidField("lora", { reason: "BAD_NAME", description: `must be ${useRule}` });
}
