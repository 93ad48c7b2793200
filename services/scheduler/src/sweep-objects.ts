/**
 * Removes what attempts have put and no outcome points to. Only on proof: the task has an outcome,
 * outcomes never change, and this one names another attempt. Where no outcome is known, a task may
 * still run, or the broker may have lost it, so nothing is touched.
 */
import type { BlobStore } from "@zfarm/blobs";
import type { Broker, StoredOutcome } from "@zfarm/broker";
import { type AttemptObject, limits, parseAttemptKey, taskKey } from "@zfarm/contract";
import type { Clock } from "@zfarm/runtime";
import type { StoreMetrics } from "./store-metrics.ts";

export interface SweepNeeds {
  readonly broker: { readonly outcomes: Pick<Broker["outcomes"], "find"> };
  readonly blobs: Pick<BlobStore, "list" | "remove">;
  /** Whether a project lies in the leader's shard. */
  readonly isOwn: (project: string) => boolean;
  readonly clock: Clock;
  readonly metrics: StoreMetrics;
}

/** Where a sweep begins: names of projects begin with a letter, so all else is the farm's own. */
export const sweepStart = "`";

/** Looks at a bounded number of objects; gives the key behind which the next round goes on. */
export async function sweepObjects(needs: SweepNeeds, after: string): Promise<string> {
  const { blobs, clock, metrics } = needs;
  const find = createFinder(needs);
  let seen = 0;
  for await (const { key, modifiedMs } of blobs.list("", after)) {
    const object = parseAttemptKey(key);
    const ageMs = clock.now() - modifiedMs;
    // Older than outcomes are kept: no outcome could tell whether it is garbage.
    const isOfAge = ageMs > limits.objectSweepAgeMs && ageMs < limits.outcomeRetentionMs;
    const isOurs = object !== undefined && needs.isOwn(object.task.project);
    if (isOurs && isOfAge && isGarbage({ ...object, key }, await find(object))) {
      await blobs.remove(key);
      metrics.swept.inc();
    }
    seen += 1;
    if (seen >= limits.objectSweepMax) return key;
  }
  return sweepStart;
}

function isGarbage(
  object: AttemptObject & { readonly key: string },
  standing: StoredOutcome | undefined,
): boolean {
  if (standing === undefined) return false;
  const { image, fence } = standing.outcome;
  switch (object.kind) {
    case "image":
      return image?.key !== object.key;
    case "outcome-copy":
      return fence !== object.fence;
    case "latents":
      // They were for whoever would go on; the task has ended.
      return true;
  }
}

/** Objects of one task lie side by side, so one look serves them all. */
function createFinder({ broker }: SweepNeeds) {
  let key = "";
  let standing: StoredOutcome | undefined;
  return async ({ task }: AttemptObject): Promise<StoredOutcome | undefined> => {
    if (taskKey(task) !== key) {
      standing = await broker.outcomes.find(task);
      key = taskKey(task);
    }
    return standing;
  };
}
