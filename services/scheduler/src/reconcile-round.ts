/** One comparison of manifests and copies with the streams; then the farm is restored. */

import { limits, manifestPrefix, parseManifestKey } from "@zfarm/contract";
import { forEachBounded } from "@zfarm/runtime";
import { type ReconcileNeeds, reconcileJob } from "./reconcile-job.ts";
import { restoreLoras } from "./restore-loras.ts";

/**
 * Gives how many jobs were just being created, of which nobody can tell yet what they lack. Throws
 * what made it stop short; what was done until then need not be done again.
 */
export async function reconcileRound(
  needs: ReconcileNeeds,
  /** Manifests of ended jobs, by key, that earlier rounds of this term have seen. */
  endedBefore: Set<string>,
  ended: AbortSignal,
): Promise<number> {
  const { blobs, broker, clock } = needs;
  let beingCreated = 0;
  await forEachBounded(blobs.list(manifestPrefix), limits.reconcileParallel, async (found) => {
    ended.throwIfAborted();
    const job = parseManifestKey(found.key);
    if (job !== undefined && !needs.isOwn(job.project)) return;
    const isOld = clock.now() - found.modifiedMs > limits.outcomeRetentionMs;
    if (endedBefore.has(found.key) && !isOld) return;
    const result = await reconcileJob(needs, found);
    if (result === "being-created") beingCreated += 1;
    if (result === "ended" && endedBefore.size < limits.endedManifestsMax) {
      endedBefore.add(found.key);
    } else if (result === "removed") {
      endedBefore.delete(found.key);
    }
  });
  await restoreLoras(needs, ended);
  if (await broker.farm.isRestored()) return beingCreated;
  await broker.farm.markRestored(new Date(clock.now()));
  needs.log.info({}, "farm is restored: every manifest was compared with the streams");
  return beingCreated;
}
