/** Decides what an update changes of an adapter's record, and whether it may. */
import {
  type Lora,
  type LoraRecord,
  limits,
  parseLoraVersionId,
  versionRule,
} from "@zfarm/contract";
import { plainMask, readFieldMask } from "./field-mask.ts";
import { checkAbout, checkCount } from "./lora-about.ts";
import { liveVersions } from "./lora-record.ts";
import type { Fault, Violations } from "./violations.ts";

const maskPaths = ["display_name", "labels", "trigger_words", "pinned", "aliases"] as const;

export type LoraPath = (typeof maskPaths)[number];

/** The fields that a mask names; adds a violation for each path that is none. */
export function readLoraMask(
  mask: readonly string[] | undefined,
  violations: Violations,
): ReadonlySet<LoraPath> {
  return readFieldMask(mask, plainMask(maskPaths), violations);
}

/** What the mask leaves out is not looked at: a client may send back the adapter as it got it. */
export function checkLoraChanges(
  lora: Lora,
  fields: ReadonlySet<LoraPath>,
  violations: Violations,
): void {
  const about = {
    displayName: fields.has("display_name") ? lora.displayName : "",
    labels: fields.has("labels") ? lora.labels : new Map<string, string>(),
    triggerWords: fields.has("trigger_words") ? lora.triggerWords : [],
    pinned: lora.pinned,
  };
  checkAbout(about, "lora", violations);
  if (fields.has("aliases")) violations.add("lora.aliases", checkAliases(lora.aliases));
}

/** The record after the change, or what stands against it. */
export function changeLora(
  record: LoraRecord,
  lora: Lora,
  fields: ReadonlySet<LoraPath>,
): LoraRecord | Fault {
  const fault = fields.has("aliases") ? checkTargets(record, lora.aliases) : undefined;
  if (fault !== undefined) return fault;
  return {
    ...record,
    displayName: fields.has("display_name") ? lora.displayName : record.displayName,
    labels: fields.has("labels") ? lora.labels : record.labels,
    triggerWords: fields.has("trigger_words") ? lora.triggerWords : record.triggerWords,
    pinned: fields.has("pinned") ? lora.pinned : record.pinned,
    aliases: fields.has("aliases") ? lora.aliases : record.aliases,
  };
}

function checkAliases(aliases: ReadonlyMap<string, string>): Fault | undefined {
  const names = [...aliases.keys(), ...aliases.values()];
  if (names.every((name) => parseLoraVersionId(name) !== undefined)) {
    return checkCount(aliases.size, limits.loraAliasesMax);
  }
  return { reason: "BAD_NAME", description: `an alias, and what it names, must be ${versionRule}` };
}

/** Undefined where each alias names a version that is there, and none has a version's name. */
function checkTargets(record: LoraRecord, aliases: ReadonlyMap<string, string>): Fault | undefined {
  const live = new Set(liveVersions(record).map(({ version }) => version?.version));
  const made = new Set(record.versions.map(({ version }) => version?.version));
  for (const [alias, version] of aliases) {
    if (!live.has(version)) {
      return { reason: "NOT_FOUND", description: `alias ${alias}: there is no version ${version}` };
    }
    if (made.has(alias)) {
      return { reason: "DUPLICATE", description: `alias ${alias} is the name of a version` };
    }
  }
  return undefined;
}
