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
  for (let revision = 1; revision <= count; revision += 1) sweeper.saw(BigInt(revision));
  const removeAll = (from: number, to: number): void => {
    for (let revision = from; revision <= to; revision += 1) sweeper.remove(BigInt(revision));
  };
  return { clock, singles, sweeps, sweeper, removeAll };
}

test("a task that ends alone leaves at once", async () => {
  const { sweeper, singles, sweeps } = sweeperOver(3);

  sweeper.remove(2n);
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
  sweeper.saw(BigInt(many + 2));

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
