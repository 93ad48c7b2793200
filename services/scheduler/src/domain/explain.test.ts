/** Every reason to wait can be reached, and says what an operator can do about it. */
import { limits, WaitReason } from "@zfarm/contract";
import { describe, expect, test } from "vitest";
import {
  adapter,
  buildFailure,
  buildTask,
  buildTasks,
  CoreDriver,
  engineCrash,
  listed,
  shelfOf,
  taskFault,
} from "../../testing/drive-core.ts";

interface Case {
  readonly reason: keyof typeof WaitReason;
  /** Ends with task 0 of job "j" waiting for the reason. */
  readonly reach: (core: CoreDriver) => void;
  readonly detail: string;
  readonly release: string;
  /** Milliseconds until the first may start; undefined: not before somebody acts. */
  readonly startsIn: number | undefined;
}

const shared = buildFailure("UPLOAD_FAILED", 3);

const cases: Case[] = [
  {
    reason: "NO_WORKERS",
    reach: (core) => core.store(buildTask(0)),
    detail: "pool default has no worker",
    release: "a worker of pool default starts",
    startsIn: undefined,
  },
  {
    reason: "CAPACITY",
    reach: (core) => {
      core.store(...buildTasks(1, { job: "before" }), ...buildTasks(2));
      core.takeOne("w1");
    },
    detail: "1 of 1 workers are busy; 2 tasks, about 4 GPU-seconds, wait in pool default",
    release: "tasks before it end, a higher priority, or more workers",
    startsIn: 1,
  },
  {
    reason: "DRAINING",
    reach: (core) => {
      core.store(buildTask(0));
      core.poolPolicy({ draining: true });
    },
    detail: "pool default is draining",
    release: "Resume of pools/default",
    startsIn: undefined,
  },
  {
    reason: "FAIR_SHARE",
    reach: (core) => {
      core.store(...buildTasks(1, { job: "teacher" }));
      core.finish("w1", core.takeOne("w1"), 1_000);
      core.store(...buildTasks(8, { job: "before" }), buildTask(0));
      core.store(buildTask(0, { project: "other", width: 128 }));
      core.take("w1", 8);
    },
    detail: "project default runs 8 tasks and has had its share; 1 tasks of other projects wait",
    release: "other projects catch up, a larger weight, or more workers",
    startsIn: 9_000,
  },
  {
    reason: "PROJECT_LIMIT",
    reach: (core) => {
      core.projectPolicy("default", { burstTasks: 1 });
      core.store(...buildTasks(1, { job: "before" }), buildTask(0));
      core.takeOne("w1");
    },
    detail: "project default runs 1 of at most 1 tasks",
    release: "one of them ends, or a larger burst_tasks of the project",
    startsIn: 1,
  },
  {
    reason: "JOB_LIMIT",
    reach: (core) => {
      core.control({ maxConcurrency: 1 });
      core.store(buildTask(1), buildTask(0));
      core.takeOne("w1");
    },
    detail: "the job runs 1 of at most 1 tasks",
    release: "one of them ends, or a larger max_concurrency (UpdateJob)",
    startsIn: 1,
  },
  {
    reason: "JOB_PAUSED",
    reach: (core) => {
      core.control({ paused: true });
      core.store(buildTask(0));
    },
    detail: "the job is paused",
    release: "ResumeJob",
    startsIn: undefined,
  },
  {
    reason: "AWAITING_APPROVAL",
    reach: (core) => {
      core.control({ sampleTasks: 1 });
      core.store(buildTask(1));
    },
    detail: "only the first 1 tasks run before approval",
    release: "ApproveJob",
    startsIn: undefined,
  },
  {
    reason: "BACK_OFF",
    reach: (core) => {
      core.store(buildTask(0));
      core.report("w1", core.takeOne("w1"), shared);
    },
    detail: "handed back 1 times after UPLOAD_FAILED; tried again in 1 s",
    release: "the delay ends",
    startsIn: limits.handBackDelayMs,
  },
  {
    reason: "SUSPECTED",
    reach: (core) => {
      for (const worker of ["w1", "w2"]) core.beat(worker, []);
      core.store(buildTask(0));
      core.report("w1", core.takeOne("w1"), engineCrash);
    },
    detail: "1 of at most 3 crashes under it, on w1",
    release: "a worker where it has not crashed yet has a free moment: it runs alone",
    startsIn: 0,
  },
  {
    reason: "LORA_AFFINITY",
    reach: (core) => {
      core.store(buildTask(0, { job: "before", adapters: [adapter("a")] }));
      core.ask("w1", { shelf: shelfOf(["a"]) });
      core.ask("w2", { shelf: shelfOf([]) });
      core.store(buildTask(0, { adapters: [adapter("a")] }));
    },
    detail: "1 adapters are on a worker that should be free soon",
    release: "that worker asks, or the bounded wait ends",
    startsIn: 0,
  },
  {
    reason: "BATCH_FORMING",
    reach: (core) => {
      core.store(...buildTasks(limits.batchArrivalsMin));
      core.ask("w1", { slots: 8 });
    },
    detail: "more tasks of 64x64x4 are arriving",
    release: `a full batch, or ${limits.batchHoldMs} ms`,
    startsIn: 0,
  },
  {
    reason: "ENDING",
    reach: (core) => {
      core.store(buildTask(0));
      core.report("w1", core.takeOne("w1"), buildFailure("PROMPT_TOO_LONG", 1));
    },
    detail: "it has ended; its outcome is being stored",
    release: "the broker",
    startsIn: undefined,
  },
];

describe("a task that waits", () => {
  test.each(cases)("for $reason says so, and what would help", (each) => {
    const core = CoreDriver.leading();
    each.reach(core);

    const [first] = core.explain();

    expect(first).toMatchObject({
      reason: WaitReason[each.reason],
      detail: each.detail,
      release: each.release,
    });
    const startsAt = first?.earliestStartTime?.getTime();
    const startsIn = startsAt === undefined ? undefined : Math.round(startsAt - core.now);
    expect(startsIn).toBe(each.startsIn);
  });

  test("for QUARANTINED names the worker, its failure and the end", () => {
    const core = CoreDriver.leading();
    for (const worker of ["w1", "w2"]) core.beat(worker, []);
    for (let n = 0; n < limits.strikesMax; n += 1) {
      core.store(buildTask(n, { job: "bad" }));
      core.now += limits.strikeBurstMs;
      core.report("w1", core.takeOne("w1"), taskFault);
      core.end(buildTask(n, { job: "bad" }));
    }
    core.workerPolicy("w2", { draining: true });
    core.store(buildTask(0));

    const [first] = core.explain();

    expect(first).toMatchObject({
      reason: WaitReason.QUARANTINED,
      release: "ForgiveWorker, or 300 s",
    });
    expect(first?.detail).toContain("w1 for BAD_NUMBERS");
    expect(first?.earliestStartTime).toEqual(new Date(core.now + limits.quarantineMs));
  });

  test("for LEADER_CHANGE says when grants begin", () => {
    const core = new CoreDriver(2n);
    core.store(buildTask(0));
    expect(core.explain()).toMatchObject([{ detail: "a new leader reads the queue" }]);
    core.step({ kind: "rebuilt" });

    expect(core.explain()).toMatchObject([
      {
        reason: WaitReason.LEADER_CHANGE,
        detail: `a new leader grants in ${limits.takeoverGraceMs} ms`,
      },
    ]);
  });

  test("for NEXT stands behind one for which the only free worker is held", () => {
    const core = CoreDriver.leading();
    core.store(...buildTasks(limits.batchArrivalsMin));
    core.store(buildTask(0, { job: "next" }));
    core.ask("w1", { slots: 8 });

    expect(core.explain("next")).toMatchObject([{ reason: WaitReason.NEXT }]);
  });

  test("for adapters that no worker has room for says how much the largest takes", () => {
    const core = CoreDriver.leading();
    core.store(buildTask(0, { adapters: [adapter("a", { rank: 64 })] }));
    core.ask("w1", { shelf: shelfOf([], 4, 32) });

    expect(core.explain()).toMatchObject([
      {
        reason: WaitReason.CAPACITY,
        detail: "no worker of pool default takes 1 adapters of rank 64: the most is 32",
        release: "a worker with more ranks",
        earliestStartTime: undefined,
      },
    ]);
  });

  test("while another has to run alone says that who has room runs it", () => {
    const core = CoreDriver.leading();
    for (const worker of ["w1", "w2"]) core.beat(worker, []);
    core.store(buildTask(0, { job: "suspect" }));
    core.report("w1", core.takeOne("w1"), engineCrash);
    const alone = core.takeOne("w2");
    core.store(buildTask(0));
    core.ask("w2", { slots: 7, running: [listed(alone)] });

    expect(core.explain()).toMatchObject([
      {
        reason: WaitReason.CAPACITY,
        detail: "1 workers have room, and run a task that must be alone",
      },
    ]);
  });

  test("for workers that drain and are locked names them", () => {
    const core = CoreDriver.leading();
    for (const worker of ["w1", "w2"]) core.beat(worker, []);
    core.workerPolicy("w1", { draining: true });
    core.workerPolicy("w2", { lock: { reason: "profiling" } });
    core.store(buildTask(0));

    expect(core.explain()).toMatchObject([
      { detail: "pool default: 1 drain (w1), 1 are locked (w2)" },
    ]);
  });

  test("for a quarantine by hand says what the operator said, and who else is away", () => {
    const core = CoreDriver.leading();
    for (const worker of ["w1", "w2"]) core.beat(worker, []);
    core.workerPolicy("w1", { quarantine: { reason: "stripes", endTime: undefined } });
    core.workerPolicy("w2", { draining: true });
    core.store(buildTask(0));

    expect(core.explain()).toMatchObject([
      {
        detail: [
          "1 of 2 workers of pool default are in quarantine",
          "w1 by an operator: stripes; 1 drain (w2)",
        ].join(", "),
        release: "ForgiveWorker",
      },
    ]);
  });

  test("starts later the more of its own job comes before it", () => {
    const core = CoreDriver.leading();
    core.store(...buildTasks(1, { job: "teacher" }));
    core.finish("w1", core.takeOne("w1"), 1_000);
    core.store(...buildTasks(1, { job: "before" }), ...buildTasks(8));
    core.takeOne("w1");

    const startsIn = (index: number) =>
      Math.round((core.explain("j", index)[0]?.earliestStartTime?.getTime() ?? 0) - core.now);

    expect(startsIn(7) - startsIn(0)).toBe(7_000);
  });
});

describe("a job", () => {
  test("is explained by groups, the largest first, and each task by itself", () => {
    const core = CoreDriver.leading();
    core.control({ sampleTasks: 2 });
    core.store(...buildTasks(7));

    expect(core.explain().map(({ reason, tasks }) => [reason, tasks])).toEqual([
      [WaitReason.AWAITING_APPROVAL, 5],
      [WaitReason.NO_WORKERS, 2],
    ]);
    expect(core.explain("j", 0)).toMatchObject([{ reason: WaitReason.NO_WORKERS, tasks: 1 }]);
    expect(core.explain("j", 6)).toMatchObject([{ reason: WaitReason.AWAITING_APPROVAL }]);
  });

  test("that runs or is unknown has nothing to explain", () => {
    const core = CoreDriver.leading();
    core.store(buildTask(0));
    core.takeOne("w1");

    expect(core.explain()).toEqual([]);
    expect(core.explain("never", 3)).toEqual([]);
  });
});
