/** Changes adapters' records: reads, decides, writes, and looks again where others wrote. */
import { isDeepStrictEqual } from "node:util";
import type { LoraRecords, StoredLora } from "@zfarm/broker";
import {
  FarmError,
  type LoraName,
  type LoraRecord,
  type LoraVersion,
  limits,
} from "@zfarm/contract";
import { type Clock, invariant } from "@zfarm/runtime";
import { addVersion, type NewVersion } from "../domain/lora-record.ts";
import type { LoraCopies } from "./lora-copies.ts";

interface LoraRegistryNeeds {
  readonly records: LoraRecords;
  /** Undefined where the broker alone keeps the records. */
  readonly copies: Pick<LoraCopies, "keep"> | undefined;
  readonly clock: Clock;
}

export class LoraRegistry {
  readonly #needs: LoraRegistryNeeds;

  constructor(needs: LoraRegistryNeeds) {
    this.#needs = needs;
  }

  /** The record of an adapter that was not deleted, or LORA_NOT_FOUND. */
  async find(name: LoraName): Promise<StoredLora> {
    const stored = await this.#needs.records.find(name);
    if (stored !== undefined && stored.record.deleteTime === undefined) return stored;
    throw notFound(name);
  }

  /** A project's adapters by name, without deleted ones. */
  async list(project: LoraName["project"]): Promise<StoredLora[]> {
    const all = await this.#needs.records.list(project);
    return all.filter(({ record }) => record.deleteTime === undefined);
  }

  /** Whether the version could be added as things stand. LORA_VERSION_EXISTS, LORAS_FULL. */
  async check(upload: NewVersion): Promise<void> {
    await this.#plan(upload);
  }

  /**
   * Adds the version unless the file is one already. LORA_VERSION_EXISTS, LORAS_FULL, CONFLICT.
   */
  async add(upload: NewVersion): Promise<{ stored: StoredLora; version: LoraVersion }> {
    for (let tries = 1; tries <= limits.wishTriesMax; tries += 1) {
      const { standing, added } = await this.#plan(upload);
      if (added.kind === "same") {
        invariant(standing !== undefined, "only a record has versions");
        await this.#keepCopy(upload.name, standing);
        return { stored: standing, version: added.version };
      }
      const stored = await this.#put(upload.name, added.record, standing);
      if (stored !== undefined) return { stored, version: added.version };
    }
    throw conflict();
  }

  /**
   * Replaces a record by what `change` makes of it. LORA_NOT_FOUND, CONFLICT where the etag is not
   * the record's, and whatever `change` throws. A change that was made already is made once.
   */
  async change(
    name: LoraName,
    etag: string,
    change: (record: LoraRecord) => LoraRecord,
  ): Promise<StoredLora> {
    for (let tries = 1; tries <= limits.wishTriesMax; tries += 1) {
      const standing = await this.find(name);
      const changed = change(standing.record);
      if (isDeepStrictEqual(changed, standing.record)) {
        await this.#keepCopy(name, standing);
        return standing;
      }
      if (etag !== "" && etag !== String(standing.revision)) {
        throw new FarmError("CONFLICT", "the adapter has changed since this etag; look again");
      }
      const updateTime = new Date(this.#needs.clock.now());
      const stored = await this.#put(name, { ...changed, updateTime }, standing);
      if (stored !== undefined) return stored;
    }
    throw conflict();
  }

  async #plan(upload: NewVersion) {
    const { records, clock } = this.#needs;
    const standing = await records.find(upload.name);
    const added = addVersion(standing?.record, upload, new Date(clock.now()));
    if (added.kind === "version-exists") throw versionExists(upload);
    if (added.kind === "versions-full") throw versionsFull(upload.name);
    if (standing === undefined) await this.#requireRoom(upload.name);
    return { standing, added };
  }

  /** Undefined where another writer was first. */
  async #put(
    name: LoraName,
    record: LoraRecord,
    standing: StoredLora | undefined,
  ): Promise<StoredLora | undefined> {
    const put = await this.#needs.records
      .put(record, standing?.revision ?? 0n)
      .catch((error: unknown) => {
        const failure = FarmError.from(error);
        if (failure.code !== "QUEUE_FULL") throw failure;
        throw new FarmError("LORAS_FULL", "the farm has no room for more adapters", {
          cause: failure,
        });
      });
    if (put === "conflict") return undefined;
    const stored = { record, revision: put };
    await this.#keepCopy(name, stored);
    return stored;
  }

  async #keepCopy(name: LoraName, stored: StoredLora): Promise<void> {
    await this.#needs.copies?.keep(name, stored);
  }

  /** Deleted ones count: their records stay. Two that come at once may exceed it by one. */
  async #requireRoom({ project }: LoraName): Promise<void> {
    const max = limits.projectLorasMax;
    if ((await this.#needs.records.list(project)).length < max) return;
    throw new FarmError("LORAS_FULL", `project ${project} has ${max} adapters, deleted ones too`);
  }
}

export function notFound({ project, lora }: LoraName, version?: string): FarmError {
  const what = version === undefined ? lora : `${lora}@${version}`;
  return new FarmError("LORA_NOT_FOUND", `project ${project} has no adapter ${what}`);
}

function versionExists({ name, version }: NewVersion): FarmError {
  const what = `${name.lora}@${version}`;
  const told = `${what} is another file or an alias; what a version means never changes`;
  return new FarmError("LORA_VERSION_EXISTS", told);
}

function versionsFull({ lora }: LoraName): FarmError {
  const days = limits.loraKeepMs / 86_400_000;
  const versions = `${limits.loraVersionsMax} versions`;
  const told = `${lora} has ${versions}; a deleted one counts for ${days} days`;
  return new FarmError("LORAS_FULL", told);
}

function conflict(): FarmError {
  return new FarmError("CONFLICT", "others keep changing this adapter; look at it and try again");
}
