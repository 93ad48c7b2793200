/** Hundreds of worlds, drawn from seeds: none may break an invariant, and together they must have
 * seen what is rare. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { faultKinds, type SimCase } from "./case.ts";
import { drawCase } from "./draw-case.ts";
import { runCase, type SimResult } from "./run-case.ts";
import { casesFolder } from "./shrink.ts";

const seeds = 400;
/** Small worlds in which the broker surely loses its newest writes, with manifests or without. */
const powerLosses = { from: 1_001, seeds: 40, events: 4_000 };

/** Branches that few steps take; a batch in which one is never taken proves less than it seems. */
const rareBranches = [
  "admission-overtaken",
  "busy-worker-crashed",
  "cancel/lease-superseded",
  "control-drain",
  "control-resume",
  "empty/asked-anew",
  "empty/newer-ask",
  "empty/newer-leader",
  "empty/worker-draining",
  "grant-came-late",
  "grant/adapters-warm",
  "grant/straggler",
  "grant/task-waited",
  "grant/worker-waited",
  "job-refused",
  "leader-froze",
  "lease-adopted",
  "lease-renewed-at-worker",
  "old-leader-refused",
  "outcome-found-at-rebuild",
  "outcome-lost-race",
  "outcome/attempts-exhausted",
  "outcome/expired",
  "outcome/not-retryable",
  "outcome/poisoned",
  "picture-lost-race",
  "prewarm",
  "quarantine/WORKER_LOST",
  "queue-swept",
  "release/attempt-failed",
  "release/grant-lost",
  "release/handed-back",
  "release/lease-dropped",
  "release/lease-expired",
  "remove-came-late",
  "remove-task/ended-before",
  "remove-task/has-own-message",
  "remove-task/rewritten",
  "request-reused",
  "rewrite-task/bundle-outlived",
  "stale-report",
  "submit-repeated",
  "submit-retried",
  "told-together",
  "verb/cancel",
  "verb/pause",
  "verb/watch",
  "void-job-met",
  "zombie-write",
];

describe("drawn worlds", () => {
  const results = new Map<number, SimResult>();
  const marks = new Map<string, number>();

  test(`${seeds} seeds break no invariant`, { timeout: 480_000 }, () => {
    for (let seed = 1; seed <= seeds; seed += 1) {
      const result = runCase(drawCase(seed));
      expect(result.violation, `npm run sim -- --from ${seed} --seeds 1`).toBeUndefined();
      results.set(seed, result);
      for (const [mark, count] of result.marks) marks.set(mark, (marks.get(mark) ?? 0) + count);
    }
  });

  test("hardly any run is void", () => {
    const voids = [...results].filter(([, { voidBecause }]) => voidBecause !== undefined);

    expect(results.size).toBe(seeds);
    expect(voids.length).toBeLessThan(seeds / 20);
  });

  test("every kind of fault has hit something", () => {
    expect(faultKinds.filter((kind) => !marks.has(`fault/${kind}`))).toEqual([]);
  });

  test("every rare branch was taken", () => {
    expect(rareBranches.filter((mark) => !marks.has(mark))).toEqual([]);
  });
});

/** Each is something that the farm does about a power loss of its broker. */
const remedies = [
  "control-restored",
  "job-admitted-late",
  "job-restored",
  "outcome-restored",
  "outcome-told-again",
  "task-restored",
];

describe("worlds whose broker loses its power", () => {
  const marks = new Set<string>();

  test("keep every promise where manifests are kept, and else all others", {
    timeout: 240_000,
  }, () => {
    const { from, events } = powerLosses;
    for (let seed = from; seed < from + powerLosses.seeds; seed += 1) {
      const result = runCase(drawCase(seed, { events, powerLoss: true }));
      const again = `npm run sim -- --from ${seed} --seeds 1 --events ${events} --power-loss`;
      expect(result.violation, again).toBeUndefined();
      for (const mark of result.marks.keys()) marks.add(mark);
    }
  });

  test("have used every remedy", () => {
    expect(remedies.filter((mark) => !marks.has(mark))).toEqual([]);
  });
});

describe("kept cases", () => {
  const files = readdirSync(casesFolder).filter((name) => name.endsWith(".json"));

  test.each(files)("%s breaks no invariant any more", (name) => {
    const simCase = JSON.parse(readFileSync(join(casesFolder, name), "utf8")) as SimCase;

    expect(runCase(simCase).violation).toBeUndefined();
  });
});
