import type { StoredTask } from "@zfarm/broker";
import { limits } from "@zfarm/contract";
import { createManualClock } from "@zfarm/testing";
import { expect, test } from "vitest";
import { QueueSweeper } from "./queue-sweeper.ts";

const many = limits.queueSweepMin * 2;

/** A sweeper that has seen messages 1 to `count`, and what it asked the queue to remove. */
function sweeperOver(count: number) {
  const clock = createManualClock();
  const singles: bigint[] = [];
  const sweeps: bigint[] = [];
  const queue = {
    remove: async (revision: bigint) => void singles.push(revision),
    removeBefore: async (revision: bigint) => void sweeps.push(revision),
  };
  const over = new AbortController().signal;
  const sweeper = new QueueSweeper({ queue, clock, over, write: (work) => work() });
  for (let revision = 1; revision <= count; revision += 1) sweeper.saw(message(revision));
  const removeAll = (from: number, to: number): void => {
    for (let revision = from; revision <= to; revision += 1) sweeper.leave(BigInt(revision));
  };
  return { clock, singles, sweeps, sweeper, removeAll };
}

function message(revision: number): StoredTask {
  return { task: { spec: undefined, attempts: 0 }, revision: BigInt(revision), isBundled: false };
}

/** The parts of a bundle with so many tasks. */
function bundle(revision: number, count: number): StoredTask[] {
  return Array.from({ length: count }, (_, index) => ({
    task: { spec: { project: "p", job: "j", index, pool: "default" }, attempts: 0 },
    revision: BigInt(revision),
    isBundled: true,
  }));
}

test("a task that ends alone leaves at once", async () => {
  const { sweeper, singles, sweeps } = sweeperOver(3);

  sweeper.leave(2n);
  await sweeper.drained();

  expect(singles).toEqual([2n]);
  expect(sweeps).toEqual([]);
});

test("many that end together leave in one request, up to the oldest that lives", async () => {
  const { sweeper, singles, sweeps, removeAll } = sweeperOver(many + 1);

  removeAll(1, many);
  await sweeper.drained();

  expect(sweeps).toEqual([BigInt(many + 1)]);
  // The first one left before anyone could know of the others.
  expect(singles).toEqual([1n]);
});

test("a message that nobody has seen yet is not swept", async () => {
  const { sweeper, sweeps, removeAll } = sweeperOver(many);

  removeAll(1, many);
  await sweeper.drained();

  expect(sweeps).toEqual([BigInt(many + 1)]);
});

test("behind an old live task they leave one by one", async () => {
  const { sweeper, singles, sweeps, removeAll, clock } = sweeperOver(many + 1);

  removeAll(2, many + 1);
  await clock.advance(limits.queueSweepEveryMs * 20);
  await sweeper.drained();

  expect(sweeps).toEqual([]);
  expect(singles).toHaveLength(many);
  expect(singles).not.toContain(1n);
});

test("a message that was rewritten holds nothing back, and its successor does", async () => {
  const { sweeper, sweeps, removeAll } = sweeperOver(many + 1);
  sweeper.forget(1n);
  sweeper.saw(message(many + 2));

  removeAll(2, many + 1);
  await sweeper.drained();

  expect(sweeps).toEqual([BigInt(many + 2)]);
});

test("what a killed broker brought back goes when tidied, and no live task", async () => {
  const { sweeper, sweeps, removeAll } = sweeperOver(5);
  removeAll(1, 2);
  await sweeper.drained();

  await sweeper.tidy();

  expect(sweeps).toEqual([3n]);
});

test("a bundle leaves with the last of its tasks", async () => {
  const { sweeper, singles } = sweeperOver(1);
  for (const part of bundle(2, 3)) sweeper.saw(part);

  sweeper.leave(2n);
  sweeper.leave(2n);
  await sweeper.drained();
  expect(singles).toEqual([]);

  sweeper.leave(2n);
  await sweeper.drained();
  expect(singles).toEqual([2n]);
});

test("a bundle holds back what is behind it until it is gone", async () => {
  const { sweeper, sweeps } = sweeperOver(0);
  for (const part of bundle(1, 2)) sweeper.saw(part);
  sweeper.saw(message(2));
  sweeper.leave(1n);
  sweeper.leave(2n);

  await sweeper.tidy();
  expect(sweeps).toEqual([1n]);

  sweeper.leave(1n);
  await sweeper.tidy();
  expect(sweeps).toEqual([1n, 3n]);
});

test("a bundle is taken apart long after its first task has left, a whole one never", async () => {
  const { sweeper, clock } = sweeperOver(0);
  for (const part of [...bundle(1, 2), ...bundle(2, 2)]) sweeper.saw(part);
  await clock.advance(limits.bundleThinMs);
  sweeper.leave(2n);
  await clock.advance(limits.bundleThinMs - 1);
  expect(sweeper.outlived()).toEqual([]);

  await clock.advance(1);
  const ids = [0, 1].map((index) => ({ project: "p", job: "j", index }));
  expect(sweeper.outlived()).toEqual([ids]);

  sweeper.leave(2n);
  expect(sweeper.outlived()).toEqual([]);
});

test("few bundles are taken apart at a time", async () => {
  const { sweeper, clock } = sweeperOver(0);
  for (let revision = 1; revision <= 2 * limits.bundlesSplitMax; revision += 1) {
    for (const part of bundle(revision, 2)) sweeper.saw(part);
    sweeper.leave(BigInt(revision));
  }
  await clock.advance(limits.bundleThinMs);

  expect(sweeper.outlived()).toHaveLength(limits.bundlesSplitMax);
});
