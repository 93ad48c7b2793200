/**
 * Finds the adapters that pictures name. A name is looked up each time, so that whoever has
 * uploaded or changed something is understood at once; who names a digest gets what was known of
 * the project a moment ago, because that takes all its records.
 */
import type { LoraRecords } from "@zfarm/broker";
import {
  type LoraArchitecture,
  type LoraRecord,
  type LoraUseRef,
  type LoraVersionRecord,
  limits,
  type ProjectId,
  parseLoraUse,
} from "@zfarm/contract";
import { type Clock, forEachBounded } from "@zfarm/runtime";
import { findVersion, liveVersions } from "../domain/lora-record.ts";

/** What a picture needs to know of an adapter. */
export interface FoundLora {
  /** SHA-256 of its file, hexadecimal. */
  readonly digest: string;
  /** Ranks that it takes in a run. */
  readonly rank: number;
  /** On the device. */
  readonly sizeBytes: bigint;
  readonly pinned: boolean;
  readonly architecture: LoraArchitecture | undefined;
}

interface KnownFiles {
  /** Monotonic milliseconds. */
  readonly askedMs: number;
  readonly byDigest: ReadonlyMap<string, FoundLora>;
}

export class LoraFinder {
  readonly #records: Pick<LoraRecords, "find" | "list">;
  readonly #clock: Clock;
  /** Least recently asked first. */
  readonly #known = new Map<ProjectId, KnownFiles>();

  constructor(records: Pick<LoraRecords, "find" | "list">, clock: Clock) {
    this.#records = records;
    this.#clock = clock;
  }

  /** Undefined where the project has no such adapter, or no such version of it. */
  async find(project: ProjectId, use: LoraUseRef): Promise<FoundLora | undefined> {
    if (use.kind === "digest") return (await this.#filesOf(project, [use])).get(use.digest);
    const stored = await this.#records.find({ project, lora: use.lora });
    if (stored === undefined || stored.record.deleteTime !== undefined) return undefined;
    const version = findVersion(stored.record, use.version);
    return version === undefined ? undefined : foundOf(stored.record, version);
  }

  /** By the text that names it, without those that name nothing; each text is looked up once. */
  async findAll(
    project: ProjectId,
    texts: Iterable<string>,
  ): Promise<ReadonlyMap<string, FoundLora>> {
    const uses = new Map([...new Set(texts)].map((text) => [text, parseLoraUse(text)]));
    const digests = [...uses.values()].filter((use) => use?.kind === "digest");
    const files = digests.length === 0 ? undefined : await this.#filesOf(project, digests);
    const found = new Map<string, FoundLora>();
    await forEachBounded([...uses], limits.lookupParallel, async ([text, use]) => {
      if (use === undefined) return;
      const lora = use.kind === "digest" ? files?.get(use.digest) : await this.find(project, use);
      if (lora !== undefined) found.set(text, lora);
    });
    return found;
  }

  /** What is known where that answers for all of these, else read anew: once, however many. */
  async #filesOf(
    project: ProjectId,
    uses: readonly { readonly digest: string }[],
  ): Promise<ReadonlyMap<string, FoundLora>> {
    const known = this.#known.get(project);
    const isFresh =
      known !== undefined && this.#clock.monotonic() - known.askedMs < limits.loraKnownMs;
    const hasAll = isFresh && uses.every(({ digest }) => known.byDigest.has(digest));
    return hasAll ? known.byDigest : (await this.#ask(project)).byDigest;
  }

  async #ask(project: ProjectId): Promise<KnownFiles> {
    const askedMs = this.#clock.monotonic();
    const byDigest = new Map<string, FoundLora>();
    for (const { record } of await this.#records.list(project)) {
      for (const version of liveVersions(record)) {
        const found = foundOf(record, version);
        if (found !== undefined) byDigest.set(found.digest, found);
      }
    }
    const known = { askedMs, byDigest };
    this.#known.delete(project);
    this.#known.set(project, known);
    const [oldest] = this.#known.keys();
    if (this.#known.size > limits.loraProjectsKnownMax && oldest !== undefined) {
      this.#known.delete(oldest);
    }
    return known;
  }
}

function foundOf(
  { pinned }: LoraRecord,
  { version, architecture }: LoraVersionRecord,
): FoundLora | undefined {
  const { report, sha256: digest = "" } = version ?? {};
  if (report === undefined) return undefined;
  const { ranksTaken: rank, deviceBytes: sizeBytes } = report;
  return { digest, rank, sizeBytes, pinned, architecture };
}
