import { limits, OutcomeKind, taskIdOf } from "@zfarm/contract";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { buildTask, CoreDriver, only } from "../../testing/drive-core.ts";
import { FarmModel, type Move } from "../../testing/farm-model.ts";

const worker = fc.nat(3);
const pick = fc.nat(1_000);

const move: fc.Arbitrary<Move> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("store" as const),
      index: fc.nat(40),
      project: fc.nat(2),
      wide: fc.boolean(),
      expireIn: fc.option(fc.integer({ min: 1, max: 30_000 }), { nil: undefined, freq: 3 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("ask" as const),
      worker,
      slots: fc.nat(9),
      knows: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("beat" as const), worker, mask: fc.nat(0xffff) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("report" as const), pick, fault: fc.nat(5) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("end" as const),
      pick,
      outcome: fc.constantFrom(OutcomeKind.SUCCEEDED, OutcomeKind.CANCELED),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("apply" as const), conflict: fc.boolean() }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("read" as const),
      count: fc.nat(3),
      unread: fc.constantFrom(0, 1, 5, Number.POSITIVE_INFINITY),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("wait" as const),
      ms: fc.constantFrom(1, 50, 1_000, 5_000, 10_000),
    }),
  },
);

const jobOf = (project: string) => taskIdOf({ project, job: "j", index: 0 });

describe("whatever happens", () => {
  test("no task is lost, leased twice, granted after its end, or tried without bound", () => {
    fc.assert(
      fc.property(fc.array(move, { maxLength: 120, size: "max" }), (moves) => {
        const model = new FarmModel();

        for (const each of moves) model.play(each);

        model.heal();
      }),
      { numRuns: 150 },
    );
  });

  test("every project with waiting tasks gets its turn within one round", () => {
    const backlog = fc.array(fc.record({ project: fc.nat(6), wide: fc.boolean() }), {
      minLength: 1,
      maxLength: 200,
    });
    fc.assert(
      fc.property(backlog, fc.integer({ min: 1, max: 8 }), (tasks, slots) => {
        const core = CoreDriver.leading();
        for (const [index, { project, wide }] of tasks.entries()) {
          core.store(buildTask(index, { project: `p${project}`, width: wide ? 128 : 64 }));
        }
        const projects = new Set(tasks.map(({ project }) => `p${project}`));

        const served = new Set<string | undefined>();
        for (let turn = 0; turn < projects.size && core.countQueued() > 0; turn += 1) {
          for (const { spec } of core.take("w1", slots).leases) served.add(spec?.project);
        }

        expect(served).toEqual(projects);
      }),
    );
  });

  test("a task that arrives is told its place in the line, unless that is far behind", () => {
    const projects = fc.array(fc.nat(5), { minLength: 1, maxLength: limits.positionTasksMax + 40 });
    fc.assert(
      fc.property(projects, fc.nat(3), (arrivals, slots) => {
        const core = CoreDriver.leading();

        for (const [index, number] of arrivals.entries()) {
          const project = `p${number}`;
          const effects = core.store(buildTask(index, { project }));
          const job = jobOf(project);
          const place = core.scheduler.describeJob(job).at(-1)?.position;
          const told = only(effects, "announce-position").map(({ position }) => position);
          expect(told).toEqual(place === limits.positionTasksMax ? [] : [place]);
          if (index % 5 === 0) core.ask("w1", { slots });
          if (index % 5 === 0) core.wait(limits.askHoldMs);
        }
      }),
      { numRuns: 60 },
    );
  });

  test("the random walks reach every decision but those that need a crowd", () => {
    const walks = fc.sample(fc.array(move, { minLength: 60, maxLength: 120, size: "max" }), {
      seed: 7,
      numRuns: 200,
    });
    const reasons = new Set<string>();

    for (const walk of walks) {
      const model = new FarmModel();
      for (const each of walk) model.play(each);
      for (const { kind, reason } of model.trace) {
        // Which failure it was that did it is for chance.
        reasons.add(kind === "worker-quarantined" ? kind : `${kind} ${reason}`);
      }
    }

    expect([...reasons].toSorted()).toMatchInlineSnapshot(`
      [
        "announce-leader first-heard",
        "announce-position just-arrived",
        "announce-position still-waiting",
        "answer-empty asked-anew",
        "answer-empty newer-ask",
        "answer-empty nothing-to-do",
        "control-cancel lease-superseded",
        "control-cancel task-ended",
        "grant task-waited",
        "grant worker-waited",
        "lease-adopted listed-by-worker",
        "publish-outcome expired",
        "publish-outcome not-retryable",
        "publish-outcome poisoned",
        "remove-task ended-before",
        "remove-task rewritten",
        "remove-task task-ended",
        "rewrite-task attempt-spent",
        "task-released attempt-failed",
        "task-released grant-lost",
        "task-released handed-back",
        "task-released lease-dropped",
        "task-released lease-expired",
        "task-released lease-superseded",
        "worker-quarantined",
      ]
    `);
  });

  test("the same events give the same effects", () => {
    fc.assert(
      fc.property(fc.array(move, { maxLength: 60, size: "max" }), (moves) => {
        const [one, other] = [new FarmModel(), new FarmModel()];

        for (const each of moves) {
          one.play(each);
          other.play(each);
        }

        expect(one.trace).toEqual(other.trace);
      }),
      { numRuns: 50 },
    );
  });
});
