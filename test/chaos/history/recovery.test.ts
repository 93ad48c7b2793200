import { expect, test } from "vitest";
import type { FarmEvent } from "./history.ts";
import { measureGaps, measureRecovery, percentile } from "./recovery.ts";

const begin = (atMs: number, worker: string, index: number): FarmEvent => {
  return { atMs, kind: "begin", worker, attempt: `default.job.${index}/${atMs}` };
};
const outcome = (atMs: number, index: number): FarmEvent => {
  return { atMs, kind: "outcome", job: "job", index };
};
const kill = (atMs: number, target: string, fault = "kill-worker"): FarmEvent => {
  return { atMs, kind: "fault", fault, target };
};

test("a killed worker's task has recovered when its next attempt begins", () => {
  const events = [begin(0, "worker-1", 0), kill(100, "worker-1"), begin(4_100, "worker-2", 0)];

  const recovery = measureRecovery(events, "kill-worker");

  expect(recovery).toEqual({ faults: 1, faultsInFlight: 1, recoveryMs: [4_000], unrecovered: [] });
});

test("a kill right after the outcome hits nothing, one right before it counts its outcome", () => {
  const ended = [begin(0, "worker-1", 0), outcome(90, 0), kill(100, "worker-1")];
  const published = [begin(0, "worker-1", 0), kill(100, "worker-1"), outcome(110, 0)];

  expect(measureRecovery(ended, "kill-worker").faultsInFlight).toBe(0);
  expect(measureRecovery(published, "kill-worker").recoveryMs).toEqual([10]);
});

test("a task that nobody goes on with is named", () => {
  const events = [begin(0, "worker-1", 0), begin(0, "worker-2", 1), kill(100, "worker-1")];

  expect(measureRecovery(events, "kill-worker").unrecovered).toEqual(["default.job.0"]);
});

test("a fault of the broker stands in the way of every worker's task", () => {
  const events = [
    begin(0, "worker-1", 0),
    begin(0, "worker-2", 1),
    kill(100, "nats-server", "kill-nats"),
    outcome(300, 1),
    kill(2_100, "nats-server", "kill-nats"),
    outcome(2_600, 0),
  ];

  const recovery = measureRecovery(events, "kill-nats");

  expect(recovery).toMatchObject({ faults: 2, faultsInFlight: 2, recoveryMs: [200, 2_500] });
});

test("an attempt that begins after its task ended is nobody's loss", () => {
  const events = [outcome(0, 0), begin(10, "worker-1", 0), kill(20, "worker-1")];

  expect(measureRecovery(events, "kill-worker").faultsInFlight).toBe(0);
});

test("a gap ends with the next attempt of anyone", () => {
  const events = [
    kill(0, "s", "kill-leader"),
    begin(700, "worker-1", 0),
    kill(900, "s", "kill-leader"),
  ];

  expect(measureGaps(events, "kill-leader", 6_000)).toEqual([700]);
});

test("a gap that the next fault cuts short counts only where it was too long already", () => {
  const leaderDies = (atMs: number): FarmEvent => kill(atMs, "s", "kill-leader");
  const events = [leaderDies(0), leaderDies(5_000), leaderDies(12_000), begin(13_000, "w", 0)];

  expect(measureGaps(events, "kill-leader", 6_000)).toEqual([1_000, 7_000]);
});

test("percentiles are taken from what is there", () => {
  expect(percentile([], 0.99)).toBeUndefined();
  expect(percentile([1, 2, 3, 4], 0.5)).toBe(3);
  expect(percentile([1, 2, 3, 4], 0.99)).toBe(4);
});
