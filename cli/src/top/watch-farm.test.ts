/** How often the farm is read, and what is shown while it does not answer. */
import { FarmError } from "@zfarm/contract";
import { createManualClock } from "@zfarm/testing";
import { expect, test } from "vitest";
import type { FarmPicture } from "./farm-picture.ts";
import type { TopState } from "./frame.ts";
import { watchFarm } from "./watch-farm.ts";

const picture: FarmPicture = {
  address: "a",
  readAt: 0,
  pools: [],
  queues: [],
  workers: [],
  actuator: "none",
  scaling: [],
};

test("a farm that fails to answer keeps what was known, and says why", async () => {
  const clock = createManualClock();
  const stop = new AbortController();
  const shown: TopState[] = [];
  const reads: (() => Promise<FarmPicture>)[] = [
    () => Promise.resolve(picture),
    () => Promise.reject(new FarmError("NO_LEADER", "no one")),
    () => Promise.resolve(picture),
  ];
  const done = watchFarm(
    {
      address: "a",
      clock,
      read: () => reads.shift()?.() ?? Promise.resolve(picture),
      show: (state) => void shown.push(state),
    },
    stop.signal,
  );

  for (let read = 1; read <= 2; read += 1) {
    await clock.sleeping();
    await clock.advance(1_000);
  }
  await clock.sleeping();
  stop.abort();
  await done;

  const problems = shown.map(({ problem }) => problem);
  expect(problems).toEqual([undefined, "no one (NO_LEADER)", undefined]);
  expect(shown[1]?.picture).toBe(picture);
});

test("a farm that is slow to read is read less often", async () => {
  const clock = createManualClock();
  const stop = new AbortController();
  let reads = 0;
  const read = async (): Promise<FarmPicture> => {
    reads += 1;
    await clock.advance(500);
    return picture;
  };
  const done = watchFarm({ address: "a", clock, read, show: () => undefined }, stop.signal);

  await clock.sleeping();
  await clock.advance(1_999);
  expect(reads).toBe(1);
  await clock.advance(1);
  await clock.sleeping();
  stop.abort();
  await done;
  expect(reads).toBe(2);
});
