/** Reads the name of a project where one must be given. */
import { nameRule, type ProjectId, parseProjectName } from "@zfarm/contract";
import { invalidField } from "../domain/violations.ts";

/** INVALID_REQUEST where it is none; here the empty name is no default. */
export function readProject(name: string, field: string): ProjectId {
  const project = name === "" ? undefined : parseProjectName(name);
  if (project !== undefined) return project;
  const description = `must be projects/{project}; a project is ${nameRule}`;
  throw invalidField(field, { reason: "BAD_NAME", description });
}
