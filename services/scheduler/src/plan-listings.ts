/**
 * Decides which listings of the object store show everything of some tasks with the least to read:
 * one for each job, or all of a project where it has few objects for so many jobs.
 */
import type { BlobStore } from "@zfarm/blobs";
import type { CopyReader } from "@zfarm/broker";
import {
  type JobRef,
  jobPrefix,
  limits,
  projectParts,
  projectSample,
  projectSampleOf,
  type TaskId,
} from "@zfarm/contract";

/** Seen and one more, so that an empty sample is no proof of an empty project. */
const moreObjects = 2;
/** More of a sample than this need not be counted. */
const sampleMax = 1_000;

type Listed = CopyReader & Pick<BlobStore, "kind">;

/** Prefixes of keys. STORE_UNAVAILABLE. */
export async function planListings(blobs: Listed, ids: readonly TaskId[]): Promise<string[]> {
  const plan: string[] = [];
  for (const own of Map.groupBy(ids, ({ project }) => project).values()) {
    const jobs = new Map(own.map((id) => [id.job, id]));
    plan.push(...(await planProject(blobs, [...jobs.values()])));
  }
  return plan;
}

async function planProject(blobs: Listed, jobs: readonly JobRef[]): Promise<string[]> {
  // A folder's name leads to what is in it, and each has to be opened: nothing is less.
  if (blobs.kind === "directory") return jobs.map(jobPrefix);
  const worth = jobs.length * limits.copiesListFactor;
  const [first] = jobs;
  const isWorth = first !== undefined && worth >= moreObjects * projectSampleOf;
  if (!isWorth || (await guessObjects(blobs, first)) > worth) return jobs.map(jobPrefix);
  return projectParts(first.project);
}

/** About how many objects the project has, from a small part of them. */
async function guessObjects(blobs: CopyReader, job: JobRef): Promise<number> {
  let seen = moreObjects;
  for await (const _ of blobs.list(projectSample(job))) {
    seen += 1;
    if (seen > sampleMax) return Number.POSITIVE_INFINITY;
  }
  return seen * projectSampleOf;
}
