/** Reads the copies of outcomes in the object store: what a broker that lost some is given back. */
import {
  type JobRef,
  jobPrefix,
  type Outcome,
  OutcomeKind,
  parseAttemptKey,
  type TaskId,
  type TaskKey,
  taskKey,
} from "@zfarm/contract";
import { readOutcomeCopy } from "./copy-outcomes.ts";

/** What looking for copies needs of an object store. */
export interface CopyReader {
  get(key: string): Promise<Uint8Array | undefined>;
  list(prefix: string): AsyncIterable<{ readonly key: string; readonly sizeBytes: number }>;
}

/** The copied outcome of each task of the job that is open and has one. STORE_UNAVAILABLE. */
export async function findCopies(
  blobs: CopyReader,
  job: JobRef,
  isOpen: (index: number) => boolean,
): Promise<ReadonlyMap<number, Outcome>> {
  const copies = await findCopiesUnder(blobs, jobPrefix(job), ({ index }) => isOpen(index));
  return new Map(copies.map((copy) => [copy.spec?.index ?? -1, copy]));
}

/** The same for one task. */
export async function findCopy(blobs: CopyReader, id: TaskId): Promise<Outcome | undefined> {
  const [copy] = await findCopiesUnder(blobs, `${jobPrefix(id)}${id.index}/`, () => true);
  return copy;
}

/**
 * The same for all tasks whose objects begin so, one for each. Where several stand, attempts
 * crossed and a loser's copy was not removed: the one that ended first is the likely winner.
 */
export async function findCopiesUnder(
  blobs: CopyReader,
  prefix: string,
  isOpen: (id: TaskId) => boolean,
): Promise<Outcome[]> {
  const sizes = new Map<string, number>();
  const found: { readonly key: string; readonly task: TaskKey }[] = [];
  for await (const { key, sizeBytes } of blobs.list(prefix)) {
    const object = parseAttemptKey(key);
    if (object === undefined || !isOpen(object.task)) continue;
    sizes.set(key, sizeBytes);
    if (object.kind === "outcome-copy") found.push({ key, task: taskKey(object.task) });
  }
  const copies = new Map<TaskKey, Outcome>();
  for (const { key, task } of found) {
    const bytes = await blobs.get(key);
    const outcome = bytes === undefined ? undefined : readOutcomeCopy(bytes);
    if (outcome === undefined || !hasPicture(outcome, sizes)) continue;
    const other = copies.get(task);
    if (other === undefined || endOf(outcome) < endOf(other)) copies.set(task, outcome);
  }
  return [...copies.values()];
}

/** A success is worth nothing without its picture, whole. */
function hasPicture({ kind, image }: Outcome, sizes: ReadonlyMap<string, number>): boolean {
  if (kind !== OutcomeKind.SUCCEEDED) return true;
  return image !== undefined && sizes.get(image.key) === Number(image.sizeBytes);
}

function endOf({ endTime }: Outcome): number {
  return endTime?.getTime() ?? Number.POSITIVE_INFINITY;
}
