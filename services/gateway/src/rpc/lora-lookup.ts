/** Reads the names of adapters in requests. */
import {
  defaultProject,
  type LoraName,
  type LoraUseRef,
  nameRule,
  type ProjectId,
  parseLoraName,
  parseLoraUse,
} from "@zfarm/contract";
import { badUse } from "../domain/lora-rules.ts";
import { invalidField } from "../domain/violations.ts";
import { readProject } from "./read-project.ts";

/** INVALID_REQUEST where it is none. */
export function readLoraName(name: string, field: string): LoraName {
  const parsed = parseLoraName(name);
  if (parsed !== undefined) return parsed;
  const description = `must be projects/{project}/loras/{lora}; each is ${nameRule}`;
  throw invalidField(field, { reason: "BAD_NAME", description });
}

/** INVALID_REQUEST where it is none; the empty name is the default project. */
export function readParent(parent: string): ProjectId {
  return parent === "" ? defaultProject : readProject(parent, "parent");
}

/** How a picture would name it. INVALID_REQUEST where it does not. */
export function readLoraUse(lora: string): LoraUseRef {
  const use = parseLoraUse(lora);
  if (use !== undefined) return use;
  throw invalidField("lora", badUse);
}
