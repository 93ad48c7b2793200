import { type BlobStore, createMemoryBlobStore } from "@zfarm/blobs";
import type { CopyReader } from "@zfarm/broker";
import {
  createJobId,
  defaultProject,
  imageKey,
  limits,
  projectSample,
  projectSampleOf,
} from "@zfarm/contract";
import { describe, expect, test } from "vitest";
import { planListings } from "./plan-listings.ts";

const enough = Math.ceil((2 * projectSampleOf) / limits.copiesListFactor);

function tasksOf(jobs: number) {
  return Array.from({ length: jobs }, () => ({
    project: defaultProject,
    job: createJobId(),
    index: 0,
  }));
}

function readerOf(blobs: BlobStore): CopyReader {
  return { get: (key) => blobs.get(key), list: (prefix) => blobs.list(prefix) };
}

async function listed(blobs: BlobStore, prefix: string): Promise<string[]> {
  const keys = [];
  for await (const { key } of blobs.list(prefix)) keys.push(key);
  return keys;
}

describe("listings for the copies of outcomes", () => {
  test("are one for each job where they are few", async () => {
    const blobs = createMemoryBlobStore();
    const [one, other] = tasksOf(2);
    if (one === undefined || other === undefined) throw new Error("two tasks");

    const plan = await planListings(blobs, [one, { ...one, index: 1 }, other]);

    expect(plan).toEqual([`default/${one.job}/`, `default/${other.job}/`]);
  });

  test("are all of a project with few objects for so many jobs, and show every one", async () => {
    const blobs = createMemoryBlobStore();
    const tasks = tasksOf(enough);
    const keys = tasks.slice(0, 50).map((id) => imageKey(id, 7n));
    for (const key of keys) await blobs.put(key, new Uint8Array(1), "image/png");
    // None of them is in the sample: its size is what the test is about.
    const [first] = tasks.splice(-1);
    if (first === undefined) throw new Error("a last one");
    for (const key of await listed(blobs, projectSample(first))) await blobs.remove(key);

    const plan = await planListings(blobs, [first, ...tasks]);

    const shown = (await Promise.all(plan.map((prefix) => listed(blobs, prefix)))).flat();
    expect(plan.length).toBeLessThan(40);
    expect(shown.toSorted()).toEqual(await listed(blobs, "default/"));
  });

  test("are one for each job in a directory, where listing all is never less", async () => {
    const blobs = { ...readerOf(createMemoryBlobStore()), kind: "directory" } as const;

    expect(await planListings(blobs, tasksOf(enough))).toHaveLength(enough);
  });

  test("are one for each job where a sample says that the project has many objects", async () => {
    const blobs = createMemoryBlobStore();
    const tasks = tasksOf(enough);
    const [first] = tasks;
    if (first === undefined) throw new Error("a first one");
    for (let fence = 1n; fence < 5n; fence += 1n) {
      await blobs.put(imageKey(first, fence), new Uint8Array(1), "image/png");
    }

    expect(await planListings(blobs, tasks)).toHaveLength(enough);
  });
});
