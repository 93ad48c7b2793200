/**
 * Puts back the records of adapters that the broker lost, from their copies. Records outlive the
 * deletion of their adapters, and where one is removed at last its copy goes too: one that is
 * missing beside its copy was lost, or comes back once more for the next sweep.
 */
import type { BlobInfo } from "@zfarm/blobs";
import {
  type LoraName,
  LoraRecord,
  limits,
  loraCopyPrefix,
  parseLoraCopyKey,
} from "@zfarm/contract";
import { forEachBounded } from "@zfarm/runtime";
import type { ReconcileNeeds } from "./reconcile-job.ts";

/** BROKER_UNAVAILABLE, STORE_UNAVAILABLE, QUEUE_FULL: the same round may work later. */
export async function restoreLoras(needs: ReconcileNeeds, ended: AbortSignal): Promise<void> {
  const copies = needs.blobs.list(loraCopyPrefix);
  await forEachBounded(copies, limits.reconcileParallel, async (copy) => {
    ended.throwIfAborted();
    await restoreLora(needs, copy);
  });
}

async function restoreLora(needs: ReconcileNeeds, { key }: BlobInfo): Promise<void> {
  const name = parseLoraCopyKey(key);
  if (name === undefined) return reportUnusable(needs, key);
  if (!needs.isOwn(name.project) || (await needs.broker.loras.find(name)) !== undefined) return;
  const bytes = await needs.blobs.get(key);
  if (bytes === undefined) return;
  const record = readCopy(bytes, name);
  if (record === undefined) return reportUnusable(needs, key);
  // Whoever wrote one since then wrote a newer one.
  if ((await needs.broker.loras.put(record, 0n)) === "conflict") return;
  needs.metrics.reconciled.inc({ what: "lora" });
  needs.log.warn({ project: name.project, lora_id: name.lora }, "lost adapter restored");
}

/** Undefined where the store holds something else under the key. */
function readCopy(bytes: Uint8Array, { project, lora }: LoraName): LoraRecord | undefined {
  try {
    const record = LoraRecord.decode(bytes);
    return record.project === project && record.lora === lora ? record : undefined;
  } catch {
    // What it is, is said by the caller.
    return undefined;
  }
}

function reportUnusable({ log, metrics }: ReconcileNeeds, key: string): void {
  log.error({ key }, "copy of an adapter's record that cannot be read");
  metrics.reconciled.inc({ what: "unusable" });
}
