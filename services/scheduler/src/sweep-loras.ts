/**
 * Removes what deleted adapters have left once no job that used them can be tried again: their
 * files, and records of which nothing else is left. Only on proof: a record says that the version
 * was deleted so long ago, and no other record names its file. A file that no record names at all
 * stays, because after a loss of the broker that would be every file.
 */
import type { BlobStore } from "@zfarm/blobs";
import type { Broker, StoredLora } from "@zfarm/broker";
import {
  type LoraName,
  LoraRecord,
  limits,
  loraCopyKey,
  loraKey,
  parseLoraDigest,
  parseLoraId,
  parseProjectId,
} from "@zfarm/contract";
import type { Clock } from "@zfarm/runtime";
import type { StoreMetrics } from "./store-metrics.ts";

export interface SweepLorasNeeds {
  readonly broker: { readonly loras: Pick<Broker["loras"], "find" | "listAll" | "remove"> };
  readonly blobs: Pick<BlobStore, "stat" | "put" | "remove">;
  /** Whether a project lies in the leader's shard. */
  readonly isOwn: (project: string) => boolean;
  readonly clock: Clock;
  readonly metrics: Pick<StoreMetrics, "swept">;
}

export async function sweepLoras(needs: SweepLorasNeeds): Promise<void> {
  const all = await needs.broker.loras.listAll();
  const forgottenAt = needs.clock.now() - limits.loraKeepMs;
  const versions = all.flatMap((stored) =>
    stored.record.versions.map((version) => ({ ...version, project: stored.record.project })),
  );
  const isForgotten = (deleteTime: Date | undefined): boolean =>
    deleteTime !== undefined && deleteTime.getTime() < forgottenAt;
  const named = new Set(
    versions.filter((each) => !isForgotten(each.deleteTime)).map((each) => each.version?.sha256),
  );
  const dead = new Set(
    versions
      .filter((each) => needs.isOwn(each.project) && isForgotten(each.deleteTime))
      .flatMap((each) => each.version?.sha256 ?? []),
  );
  for (const digest of dead) if (!named.has(digest)) await removeFile(needs, digest);
  // Last: a sweep that is cut short finds the proof again.
  for (const stored of all) {
    const { project, deleteTime } = stored.record;
    if (needs.isOwn(project) && isForgotten(deleteTime)) await removeRecord(needs, stored);
  }
}

/** A young file was just uploaded again, and its record is about to say so. */
async function removeFile({ blobs, clock, metrics }: SweepLorasNeeds, text: string): Promise<void> {
  const digest = parseLoraDigest(text);
  if (digest === undefined) return;
  const found = await blobs.stat(loraKey(digest));
  if (found === undefined || clock.now() - found.modifiedMs < limits.objectSweepAgeMs) return;
  await blobs.remove(loraKey(digest));
  metrics.swept.inc();
}

/** The copy after the record: alone it only brings the deleted record back, for the next sweep. */
async function removeRecord(
  needs: SweepLorasNeeds,
  { record, revision }: StoredLora,
): Promise<void> {
  const name = nameOf(record);
  if (name === undefined) return;
  const { loras } = needs.broker;
  await loras.remove(revision);
  if ((await loras.find(name)) !== undefined) return;
  await needs.blobs.remove(loraCopyKey(name));
  // Somebody may have given the name to a new adapter, whose copy was just removed.
  const revived = await loras.find(name);
  if (revived === undefined) return;
  const bytes = LoraRecord.encode(revived.record).finish();
  await needs.blobs.put(loraCopyKey(name), bytes, "application/x-protobuf");
}

function nameOf(record: LoraRecord): LoraName | undefined {
  const [project, lora] = [parseProjectId(record.project), parseLoraId(record.lora)];
  return project === undefined || lora === undefined ? undefined : { project, lora };
}
