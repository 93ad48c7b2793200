/**
 * Decides what is to be done about one manifest, from what the broker knows of its job. Pure:
 * every case of a loss, whole or in part, is a row of this one function.
 */
import { type JobRecord, limits } from "@zfarm/contract";

export interface ManifestFacts {
  readonly ageMs: number;
  /** The job's record; undefined where the broker has none. */
  readonly record: JobRecord | undefined;
  readonly taskCount: number;
  /** Indexes of tasks that have an outcome. */
  readonly ended: ReadonlySet<number>;
}

export type ManifestPlan =
  | { readonly kind: "leave"; readonly reason: "being-created" | "ended" }
  | { readonly kind: "remove"; readonly reason: "refused" | "ended" | "too-old" }
  /** Every one of these tasks must be live or end, and the job's record must say so. */
  | {
      readonly kind: "ensure";
      readonly record: "stands" | "create" | "admit";
      readonly open: readonly number[];
    };

export function planManifest(facts: ManifestFacts): ManifestPlan {
  const { ageMs, record, ended } = facts;
  // Whatever the broker had of it has left by age, so its absence is no loss.
  if (ageMs > limits.jobRetentionMs) return { kind: "remove", reason: "too-old" };
  // An empty digest marks what was refused halfway: nothing may bring it back.
  if (record?.requestDigest === "") return { kind: "remove", reason: "refused" };
  // Later its create is over. Either nobody can tell how it ended, or its client was told OK and
  // the broker has lost that; both times the manifest holds all that is needed to keep the word.
  if (record?.admitted === false && ageMs <= limits.manifestSettleMs) {
    return { kind: "leave", reason: "being-created" };
  }
  const isOld = ageMs > limits.outcomeRetentionMs;
  const indexes = Array.from({ length: facts.taskCount }, (_, index) => index);
  const open = indexes.filter((index) => !ended.has(index));
  // Ended jobs keep theirs as long as their outcomes are kept: a loss takes those too.
  if (record?.admitted === true && open.length === 0) {
    return isOld ? { kind: "remove", reason: "ended" } : { kind: "leave", reason: "ended" };
  }
  return { kind: "ensure", record: recordPlan(record), open };
}

function recordPlan(record: JobRecord | undefined): "stands" | "create" | "admit" {
  if (record === undefined) return "create";
  return record.admitted ? "stands" : "admit";
}
