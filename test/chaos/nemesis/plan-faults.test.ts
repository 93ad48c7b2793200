import { expect, test } from "vitest";
import { createRandom } from "../random.ts";
import { type FaultRate, planFaults } from "./plan-faults.ts";

const rates: FaultRate[] = [
  { kind: "kill-worker", everyMs: 2_000, isRegular: true },
  { kind: "kill-nats", everyMs: 5_000 },
  { kind: "stop-worker", everyMs: 20_000, lastsMs: 9_000 },
];

test("equal seeds plan the same faults, other seeds others", () => {
  const plan = (seed: string) => planFaults(rates, 60_000, createRandom(seed));

  expect(plan("a")).toEqual(plan("a"));
  expect(plan("a")).not.toEqual(plan("b"));
});

test("a regular fault comes exactly every so often, an irregular one on average", () => {
  const plan = planFaults(rates, 600_000, createRandom(1));
  const times = (kind: string) => plan.filter((fault) => fault.kind === kind);

  expect(times("kill-worker").map(({ atMs }) => atMs % 2_000)).toEqual(Array(299).fill(0));
  expect(times("kill-nats").length).toBeGreaterThan(100);
  expect(times("kill-nats").length).toBeLessThan(140);
});

test("faults are in the order of time, inside the run, and carry what they need", () => {
  const plan = planFaults(rates, 60_000, createRandom(2));
  const times = plan.map(({ atMs }) => atMs);

  expect(times).toEqual(times.toSorted((a, b) => a - b));
  expect(Math.max(...times)).toBeLessThan(60_000);
  expect(plan.every(({ target }) => target >= 0 && target < 1)).toBe(true);
  expect(plan.find(({ kind }) => kind === "stop-worker")?.lastsMs).toBe(9_000);
});

test("one kind's plan does not depend on which others there are", () => {
  const alone = planFaults(rates.slice(1, 2), 60_000, createRandom(3));
  const among = planFaults(rates, 60_000, createRandom(3));

  expect(among.filter(({ kind }) => kind === "kill-nats")).toEqual(alone);
});

test("a rate that would never end is refused", () => {
  expect(() => planFaults([{ kind: "kill-nats", everyMs: 0 }], 1, createRandom(1))).toThrow(
    RangeError,
  );
});
