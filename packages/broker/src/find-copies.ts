/** Reads the copies of outcomes in the object store: what a broker that lost some is given back. */
import {
  type JobRef,
  jobPrefix,
  type Outcome,
  OutcomeKind,
  parseAttemptKey,
  type TaskId,
} from "@zfarm/contract";
import { readOutcomeCopy } from "./copy-outcomes.ts";

/** What looking for copies needs of an object store. */
export interface CopyReader {
  get(key: string): Promise<Uint8Array | undefined>;
  list(prefix: string): AsyncIterable<{ readonly key: string; readonly sizeBytes: number }>;
}

/** The copied outcome of each task of the job that is open and has one. STORE_UNAVAILABLE. */
export function findCopies(
  blobs: CopyReader,
  job: JobRef,
  isOpen: (index: number) => boolean,
): Promise<ReadonlyMap<number, Outcome>> {
  return readCopies(blobs, jobPrefix(job), isOpen);
}

/** The same for one task. */
export async function findCopy(blobs: CopyReader, id: TaskId): Promise<Outcome | undefined> {
  const copies = await readCopies(blobs, `${jobPrefix(id)}${id.index}/`, () => true);
  return copies.get(id.index);
}

/**
 * Where several stand, attempts crossed and a loser's copy was not removed: the one that ended
 * first is the likely winner.
 */
async function readCopies(
  blobs: CopyReader,
  prefix: string,
  isOpen: (index: number) => boolean,
): Promise<ReadonlyMap<number, Outcome>> {
  const sizes = new Map<string, number>();
  const copies = new Map<number, Outcome>();
  for await (const { key, sizeBytes } of blobs.list(prefix)) sizes.set(key, sizeBytes);
  for (const key of sizes.keys()) {
    const object = parseAttemptKey(key);
    if (object?.kind !== "outcome-copy" || !isOpen(object.task.index)) continue;
    const bytes = await blobs.get(key);
    const outcome = bytes === undefined ? undefined : readOutcomeCopy(bytes);
    if (outcome === undefined || !hasPicture(outcome, sizes)) continue;
    const index = outcome.spec?.index ?? -1;
    const other = copies.get(index);
    if (other === undefined || endOf(outcome) < endOf(other)) copies.set(index, outcome);
  }
  return copies;
}

/** A success is worth nothing without its picture, whole. */
function hasPicture({ kind, image }: Outcome, sizes: ReadonlyMap<string, number>): boolean {
  if (kind !== OutcomeKind.SUCCEEDED) return true;
  return image !== undefined && sizes.get(image.key) === Number(image.sizeBytes);
}

function endOf({ endTime }: Outcome): number {
  return endTime?.getTime() ?? Number.POSITIVE_INFINITY;
}
