import { createMemoryFarm, type StoredOutcome } from "@zfarm/broker";
import {
  createJobId,
  defaultPool,
  defaultProject,
  type JobRef,
  limits,
  OutcomeKind,
} from "@zfarm/contract";
import { silentLog } from "@zfarm/runtime";
import { expect, onTestFinished, test } from "vitest";
import { OutcomeFeed } from "./outcome-feed.ts";

const never = new AbortController().signal;

/** A feed that follows already, and whether the log is followed for single jobs too. */
async function openFeed() {
  const broker = createMemoryFarm().connect();
  const followed: (JobRef | undefined)[] = [];
  const outcomes = {
    follow: (options: Parameters<typeof broker.outcomes.follow>[0]) => {
      followed.push(options.job);
      return broker.outcomes.follow(options);
    },
    lastRevision: () => broker.outcomes.lastRevision(),
  };
  const feed = OutcomeFeed.start({ outcomes, log: silentLog });
  onTestFinished(() => feed.close());
  await expect.poll(() => followed.length).toBe(1);
  await new Promise(setImmediate);
  const end = (job: JobRef, index: number) =>
    broker.outcomes.publish({
      spec: { ...job, index, pool: defaultPool },
      kind: OutcomeKind.SUCCEEDED,
      worker: "w",
      fence: 1n,
      attempt: 1,
    });
  return { feed, end, followed, broker };
}

const emptyRecord = { requestDigest: "d", pool: defaultPool, displayName: "" };
const newJob = (): JobRef => ({ project: defaultProject, job: createJobId() });

async function take(feed: OutcomeFeed, job: JobRef, count: number): Promise<number[]> {
  const found: StoredOutcome[] = [];
  for await (const followed of feed.follow(job, never)) {
    if (followed.kind === "entries") found.push(...followed.entries);
    if (found.length === count) break;
  }
  return found.map(({ outcome }) => outcome.spec?.index ?? -1);
}

test("tells every watcher all outcomes of a job that it knows from the start", async () => {
  const { feed, end, followed } = await openFeed();
  const job = newJob();
  feed.open(job, 3);
  const early = take(feed, job, 3);

  for (const index of [2, 0, 1]) await end(job, index);

  expect(await early).toEqual([2, 0, 1]);
  expect(await take(feed, job, 3)).toEqual([2, 0, 1]);
  expect(followed).toEqual([undefined]);
});

test("knows the record of a job once all of its tasks are stored", async () => {
  const { feed } = await openFeed();
  const [here, elsewhere] = [newJob(), newJob()];
  const record = { ...emptyRecord, ...here, taskCount: 1, admitted: true };
  feed.open(here, 1);
  expect(feed.recordOf(here)).toBeUndefined();

  feed.admitted(record);
  feed.admitted({ ...record, ...elsewhere });

  expect(feed.recordOf(here)).toEqual(record);
  expect(feed.recordOf(elsewhere)).toBeUndefined();
});

test("follows a job of elsewhere on its own, from its first outcome", async () => {
  const { feed, end, followed } = await openFeed();
  const job = newJob();
  await end(job, 0);

  expect(await take(feed, job, 1)).toEqual([0]);
  expect(followed).toEqual([undefined, job]);
});

test("keeps at most so many outcomes; jobs that nobody watches give way", async () => {
  const { feed } = await openFeed();
  const [first, second] = [newJob(), newJob()];
  feed.open(first, limits.feedOutcomesMax - 1);

  feed.open(second, 2);

  expect(feed.outcomesOf(first)).toBeUndefined();
  expect(feed.outcomesOf(second)).toEqual([]);
});

test("a job that is watched stays, and a new one is followed on its own", async () => {
  const { feed, end } = await openFeed();
  const [first, second] = [newJob(), newJob()];
  feed.open(first, limits.feedOutcomesMax - 1);
  const watching = take(feed, first, 1);

  feed.open(second, 2);

  expect(feed.outcomesOf(second)).toBeUndefined();
  await end(first, 0);
  expect(await watching).toEqual([0]);
});

test("watchers end with the broker", async () => {
  const { feed, broker } = await openFeed();
  const job = newJob();
  feed.open(job, 1);
  const watching = take(feed, job, 1);

  await broker.drain();

  expect(await watching).toEqual([]);
});
