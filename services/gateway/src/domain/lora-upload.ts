/** Decides whether an upload's header can be obeyed: what is wrong with it, all at once. */
import {
  defaultPool,
  digestRule,
  type LoraDigest,
  type LoraId,
  type LoraVersionId,
  nameRule,
  type PoolId,
  type ProjectId,
  parseLoraDigest,
  parseLoraId,
  parseLoraVersionId,
  parsePoolId,
  parseProjectName,
  type UploadLoraHeader,
  versionRule,
} from "@zfarm/contract";
import { checkAbout, type LoraAbout } from "./lora-about.ts";
import { latestAlias } from "./lora-record.ts";
import { Violations } from "./violations.ts";

/** A header that may be obeyed. */
export interface UploadOrder {
  readonly name: { readonly project: ProjectId; readonly lora: LoraId };
  /** Undefined: the next whole number. */
  readonly version: LoraVersionId | undefined;
  readonly pool: PoolId;
  /** What the file should come to; undefined: whatever it comes to. */
  readonly digest: LoraDigest | undefined;
  readonly about: LoraAbout;
  readonly validateOnly: boolean;
}

/** INVALID_REQUEST with all violations. */
export function readUploadHeader(header: UploadLoraHeader): UploadOrder {
  const violations = new Violations();
  const project = parseProjectName(header.parent);
  const lora = parseLoraId(header.lora);
  const pool = header.pool === "" ? defaultPool : parsePoolId(header.pool);
  const version = header.version === "" ? undefined : parseLoraVersionId(header.version);
  const digest = header.sha256 === "" ? undefined : parseLoraDigest(header.sha256);
  const bad = (field: string, rule: string): void =>
    violations.add(`header.${field}`, { reason: "BAD_NAME", description: `must be ${rule}` });
  if (project === undefined) bad("parent", `projects/{project}; a project is ${nameRule}`);
  if (lora === undefined) bad("lora", nameRule);
  if (pool === undefined) bad("pool", nameRule);
  if (version === undefined && header.version !== "") bad("version", versionRule);
  if (version === latestAlias) bad("version", `something else: ${latestAlias} is the newest one`);
  if (digest === undefined && header.sha256 !== "") bad("sha256", digestRule);
  const { displayName, labels, triggerWords, pinned } = header;
  const about = { displayName, labels, triggerWords, pinned };
  checkAbout(about, "header", violations);
  if (violations.count > 0 || project === undefined || lora === undefined || pool === undefined) {
    throw violations.toError();
  }
  const { validateOnly } = header;
  return { name: { project, lora }, version, pool, digest, about, validateOnly };
}
