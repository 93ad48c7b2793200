/**
 * What becomes of an adapter's record. What a version means never changes: a deleted one keeps its
 * place until no job that used it can be tried again, and numbers are not given out twice.
 */
import {
  type Lora,
  type LoraArchitecture,
  type LoraName,
  type LoraRecord,
  type LoraVersion,
  type LoraVersionRecord,
  limits,
  loraName,
} from "@zfarm/contract";
import type { LoraAbout } from "./lora-about.ts";

/** What a plain name means; the newest version unless the owner has set it. */
export const latestAlias = "latest";

/** A file that the gate found good. */
export interface NewVersion {
  readonly name: LoraName;
  /** Undefined: the next whole number. */
  readonly version: string | undefined;
  readonly file: Omit<LoraVersion, "version" | "createTime">;
  readonly architecture: LoraArchitecture;
  /** Counts where the name is new, or was deleted. */
  readonly about: LoraAbout;
}

export type Added =
  | { readonly kind: "added"; readonly record: LoraRecord; readonly version: LoraVersion }
  /** The file is this version already. */
  | { readonly kind: "same"; readonly version: LoraVersion }
  | { readonly kind: "version-exists" }
  | { readonly kind: "versions-full" };

/** The record with one version more. */
export function addVersion(standing: LoraRecord | undefined, upload: NewVersion, now: Date): Added {
  const base = standing ?? newRecord(upload.name, now);
  const versions = base.versions.filter((each) => !isForgotten(each, now));
  const known = findKnown(versions, upload);
  if (known !== undefined) return known;
  if (upload.version !== undefined && base.aliases.has(upload.version)) {
    return { kind: "version-exists" };
  }
  if (versions.length >= limits.loraVersionsMax) return { kind: "versions-full" };
  const number = nextNumber(base, upload.version);
  const version = { ...upload.file, version: upload.version ?? String(number), createTime: now };
  const added: LoraVersionRecord = { version, architecture: upload.architecture };
  const isNew = standing === undefined || standing.deleteTime !== undefined;
  const record: LoraRecord = {
    ...base,
    ...(isNew ? aboutFields(upload.about) : {}),
    ...(isNew ? { createTime: now } : {}),
    versions: [...versions, added],
    versionsMade: upload.version === undefined ? number : base.versionsMade,
    updateTime: now,
    deleteTime: undefined,
  };
  return { kind: "added", record, version };
}

function findKnown(
  versions: readonly LoraVersionRecord[],
  { version: wanted, file }: NewVersion,
): Added | undefined {
  for (const { version, deleteTime } of versions) {
    const isWanted = version?.version === wanted;
    if (version === undefined || (wanted !== undefined && !isWanted)) continue;
    const isSame = deleteTime === undefined && version.sha256 === file.sha256;
    if (isSame) return { kind: "same", version };
    if (isWanted) return { kind: "version-exists" };
  }
  return undefined;
}

/** Numbers that somebody chose as the name of a version or an alias are passed over. */
function nextNumber({ versionsMade, versions, aliases }: LoraRecord, chosen?: string): number {
  const taken = new Set([...versions.map(({ version }) => version?.version), ...aliases.keys()]);
  let number = versionsMade + 1;
  while (chosen === undefined && taken.has(String(number))) number += 1;
  return number;
}

/** The versions that pictures can name, oldest first. */
export function liveVersions({ versions }: LoraRecord): LoraVersionRecord[] {
  return versions.filter(({ deleteTime }) => deleteTime === undefined);
}

/** The version that a picture means by a version, an alias or neither; undefined: there is none. */
export function findVersion(
  record: LoraRecord,
  named: string | undefined,
): LoraVersionRecord | undefined {
  const live = liveVersions(record);
  const wanted = record.aliases.get(named ?? latestAlias) ?? named;
  if (wanted === undefined || wanted === latestAlias) return live.at(-1);
  return live.find(({ version }) => version?.version === wanted);
}

/** Everything of it goes; its files stay for tasks that were accepted before. */
export function deleteLora(record: LoraRecord, now: Date): LoraRecord {
  const versions = record.versions.map((each) => ({
    ...each,
    deleteTime: each.deleteTime ?? now,
  }));
  return { ...record, versions, aliases: new Map(), deleteTime: now, updateTime: now };
}

/** One version goes; "needed" where it is the last one or an alias names it. */
export function deleteVersion(
  record: LoraRecord,
  gone: string,
  now: Date,
): LoraRecord | "needed" | undefined {
  const live = liveVersions(record);
  if (!isVersion(live, gone)) return undefined;
  if (live.length === 1 || [...record.aliases.values()].includes(gone)) return "needed";
  const versions = record.versions.map((each) =>
    each.version?.version === gone ? { ...each, deleteTime: each.deleteTime ?? now } : each,
  );
  return { ...record, versions, updateTime: now };
}

export function aboutFields(about: LoraAbout) {
  return {
    displayName: about.displayName,
    labels: new Map(about.labels),
    triggerWords: [...about.triggerWords],
    pinned: about.pinned,
  };
}

/** What clients see of a record. */
export function loraView(record: LoraRecord, revision: bigint): Lora {
  const { displayName, labels, triggerWords, pinned, aliases, createTime, updateTime } = record;
  const name = loraName({ project: record.project, lora: record.lora } as LoraName);
  const versions = liveVersions(record).flatMap(({ version }) => version ?? []);
  const etag = String(revision);
  const about = { displayName, labels, triggerWords, pinned };
  return { name, ...about, versions, aliases, createTime, updateTime, etag };
}

function newRecord({ project, lora }: LoraName, now: Date): LoraRecord {
  const about = { displayName: "", labels: new Map(), triggerWords: [], pinned: false };
  const empty = { versions: [], aliases: new Map(), versionsMade: 0 };
  return { project, lora, ...about, ...empty, createTime: now, updateTime: now };
}

function isVersion(versions: readonly LoraVersionRecord[], name: string): boolean {
  return versions.some(({ version }) => version?.version === name);
}

/** Deleted so long ago that no job which used it can be tried again. */
function isForgotten({ deleteTime }: LoraVersionRecord, now: Date): boolean {
  return deleteTime !== undefined && now.getTime() - deleteTime.getTime() > limits.loraKeepMs;
}
