/** Random histories of a farm in which everybody wants something. */
import { OutcomeKind, PriorityClass } from "@zfarm/contract";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FarmModel, type Move } from "../../testing/farm-model.ts";

const worker = fc.nat(4);
const project = fc.nat(2);
const pick = fc.nat(1_000);
const maybe = fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 4 }));

const style = fc.record({
  job: fc.nat(2),
  priorityClass: fc.constantFrom(
    PriorityClass.UNSPECIFIED,
    PriorityClass.INTERACTIVE,
    PriorityClass.BATCH,
  ),
  priority: fc.constantFrom(0, 1, 100),
  deadlineIn: fc.option(fc.integer({ min: 1, max: 20_000 }), { nil: undefined, freq: 2 }),
  adapters: fc.uniqueArray(fc.nat(4), { maxLength: 2 }),
});

const work: fc.Arbitrary<Move>[] = [
  fc.record({
    kind: fc.constant("store" as const),
    index: fc.nat(30),
    project,
    wide: fc.boolean(),
    expireIn: fc.option(fc.integer({ min: 1, max: 30_000 }), { nil: undefined, freq: 3 }),
    style,
  }),
  fc.record({
    kind: fc.constant("ask" as const),
    worker,
    slots: fc.nat(9),
    knows: fc.constant(true),
    shelf: fc.option(fc.uniqueArray(fc.nat(4), { maxLength: 2 }), { nil: undefined, freq: 4 }),
  }),
  fc.record({ kind: fc.constant("beat" as const), worker, mask: fc.nat(0xffff) }),
  fc.record({ kind: fc.constant("report" as const), pick, fault: fc.nat(5) }),
  fc.record({
    kind: fc.constant("end" as const),
    pick,
    outcome: fc.constantFrom(OutcomeKind.SUCCEEDED, OutcomeKind.CANCELED, OutcomeKind.FAILED),
  }),
  fc.record({ kind: fc.constant("apply" as const), conflict: fc.boolean() }),
  fc.record({
    kind: fc.constant("wait" as const),
    ms: fc.constantFrom(1, 50, 1_000, 5_000, 10_000),
  }),
];

const wishes: fc.Arbitrary<Move>[] = [
  fc.record({
    kind: fc.constant("control" as const),
    project,
    job: fc.nat(2),
    wish: fc.record({
      paused: fc.boolean(),
      approved: fc.boolean(),
      sampleTasks: maybe,
      maxConcurrency: maybe,
      maxFailedTasks: fc.constantFrom(0, 0, 1),
      priority: fc.constantFrom(0, 7),
    }),
  }),
  fc.record({
    kind: fc.constant("project" as const),
    project,
    weight: fc.nat(3),
    guaranteeTasks: maybe,
    burstTasks: maybe,
  }),
  fc.record({
    kind: fc.constant("pool" as const),
    draining: fc.boolean(),
    speculateAfter: fc.constantFrom(0, 2),
  }),
  fc.record({
    kind: fc.constant("worker" as const),
    worker,
    draining: fc.boolean(),
    forgive: fc.boolean(),
  }),
];

const retirement = fc.record({
  kind: fc.constant("retire" as const),
  worker,
  isRetiring: fc.boolean(),
});

const move = fc.oneof(
  ...work.map((arbitrary) => ({ weight: 8, arbitrary })),
  ...wishes.map((arbitrary) => ({ weight: 3, arbitrary })),
  { weight: 1, arbitrary: retirement },
);

describe("whatever everybody wants", () => {
  test("wishes are kept, no task is lost, and every one that waits is counted as explained", () => {
    fc.assert(
      fc.property(fc.array(move, { maxLength: 140, size: "max" }), (moves) => {
        const model = new FarmModel();

        for (const each of moves) model.play(each);

        model.heal();
      }),
      { numRuns: 200 },
    );
  });

  test("nothing is remembered of what has ended", () => {
    fc.assert(
      fc.property(fc.array(move, { minLength: 60, maxLength: 140, size: "max" }), (moves) => {
        const model = new FarmModel();
        for (const each of moves) model.play(each);
        model.heal();

        expect(model.remembered()).toEqual({});
      }),
      { numRuns: 60 },
    );
  });

  test("the random walks reach what the plain ones do not", () => {
    const walks = fc.sample(fc.array(move, { minLength: 80, maxLength: 140, size: "max" }), {
      seed: 7,
      numRuns: 300,
    });
    const reasons = new Set<string>();

    for (const walk of walks) {
      const model = new FarmModel();
      for (const each of walk) model.play(each);
      for (const effect of model.trace) reasons.add(`${effect.kind} ${effect.reason}`);
    }

    for (const reached of [
      "grant adapters-warm",
      "grant straggler",
      "prewarm task-near-front",
      "control-drain policy",
      "control-drain scaling",
      "publish-outcome job-failure-budget",
    ]) {
      expect(reasons).toContain(reached);
    }
  });
});
