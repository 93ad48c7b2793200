import { FailureBlame, limits, OutcomeKind, WorkerState } from "@zfarm/contract";
import { describe, expect, test } from "vitest";
import {
  buildFailure,
  buildTask,
  CoreDriver,
  idOf,
  indicesOf,
  listed,
  only,
  taskFault,
} from "../../testing/drive-core.ts";

describe("granting", () => {
  test("gives the oldest task to the worker that asks", () => {
    const core = CoreDriver.leading();
    core.store(buildTask(0), buildTask(1));

    expect(indicesOf(core.take("w1"))).toEqual([0]);
    expect(indicesOf(core.take("w2"))).toEqual([1]);
  });

  test("holds a request and answers it when a task comes", () => {
    const core = CoreDriver.leading();
    expect(core.ask("w1")).toEqual([]);

    const [grant] = only(core.store(buildTask(7)), "grant");

    expect(grant).toMatchObject({ worker: "w1", ask: 1 });
  });

  test("answers a held request with nothing after the hold", () => {
    const core = CoreDriver.leading();
    core.ask("w1");

    expect(only(core.wait(limits.askHoldMs - 1), "answer-empty")).toEqual([]);
    expect(only(core.wait(1), "answer-empty")).toMatchObject([{ reason: "nothing-to-do", ask: 1 }]);
  });

  test("replaces the older request of a worker by its newer one", () => {
    const core = CoreDriver.leading();
    core.ask("w1");

    expect(core.ask("w1")).toMatchObject([{ kind: "answer-empty", reason: "newer-ask", ask: 1 }]);
    expect(only(core.store(buildTask(0)), "grant")).toMatchObject([{ ask: 2 }]);
  });

  test("fills a grant with tasks of one shape, up to the free slots", () => {
    const core = CoreDriver.leading();
    core.store(buildTask(0), buildTask(1, { width: 128 }), buildTask(2), buildTask(3));

    const grant = core.take("w1", 2);

    expect(indicesOf(grant)).toEqual([0, 2]);
    expect(grant.shape).toBe("64x64x4");
    expect(indicesOf(core.take("w2", 2))).toEqual([1]);
  });

  test("never grants more than one batch, however many slots are free", () => {
    const core = CoreDriver.leading();
    for (let index = 0; index < 20; index += 1) core.store(buildTask(index));

    expect(core.take("w1", 100).leases).toHaveLength(limits.batchTasksMax);
  });

  test("gives a request without free slots nothing", () => {
    const core = CoreDriver.leading();
    core.store(buildTask(0));

    expect(core.ask("w1", { slots: 0 })).toEqual([]);
  });

  test("fills a grant from all projects in turn", () => {
    const core = CoreDriver.leading();
    for (const project of ["a", "b"]) {
      for (let index = 0; index < 4; index += 1) core.store(buildTask(index, { project }));
    }

    const projects = core.take("w1", 4).leases.map((lease) => lease.spec?.project);

    expect(projects).toEqual(["a", "b", "a", "b"]);
  });

  test("fills a grant although some projects run out of its shape", () => {
    const core = CoreDriver.leading();
    core.store(buildTask(0, { project: "a" }), buildTask(1, { project: "a", width: 128 }));
    for (let index = 0; index < 4; index += 1) core.store(buildTask(index, { project: "b" }));

    const projects = core.take("w1", 4).leases.map((lease) => lease.spec?.project);

    expect(projects).toEqual(["a", "b", "b", "b"]);
  });

  test("keeps pools apart", () => {
    const core = CoreDriver.leading();
    core.store(buildTask(0, { pool: "large" }));

    expect(core.ask("w1")).toEqual([]);
    expect(only(core.ask("w2", { pool: "large" }), "grant")).toHaveLength(1);
  });

  test("lets a small project pass a large one's backlog", () => {
    const core = CoreDriver.leading();
    for (let index = 0; index < 50; index += 1) core.store(buildTask(index, { project: "large" }));
    core.store(buildTask(0, { project: "small" }));

    const projects = [core.takeOne("w1"), core.takeOne("w2")].map((lease) => lease.spec?.project);

    expect(projects).toContain("small");
  });

  test("makes fences that grow and carry the epoch in their upper half", () => {
    const core = CoreDriver.leading(5n);
    core.store(buildTask(0), buildTask(1));

    expect([core.takeOne("w1").fence, core.takeOne("w1").fence]).toEqual([
      (5n << 32n) + 1n,
      (5n << 32n) + 2n,
    ]);
  });

  test("grants nothing to a worker that obeys a newer leader", () => {
    const core = CoreDriver.leading(5n);
    core.store(buildTask(0));

    expect(core.ask("w1", { epochSeen: 6n })).toMatchObject([{ reason: "newer-leader" }]);
  });

  test("takes the request of a draining worker back", () => {
    const core = CoreDriver.leading();
    core.ask("w1");

    const effects = core.beat("w1", [], WorkerState.DRAINING);

    expect(effects).toMatchObject([{ kind: "answer-empty", reason: "worker-draining" }]);
    expect(only(core.store(buildTask(0)), "grant")).toEqual([]);
  });
});

describe("leases", () => {
  test("live as long as heartbeats list them", () => {
    const core = CoreDriver.leading();
    core.store(buildTask(0));
    const lease = core.takeOne("w1");

    const effects = core.waitBeating(60_000, { w1: [listed(lease)] });

    expect(only(effects, "task-released")).toEqual([]);
  });

  test("expire when the worker vanishes: one crash is noted, the task is next", () => {
    const core = CoreDriver.leading();
    core.store(buildTask(0), buildTask(1));
    core.takeOne("w1");

    const effects = core.wait(limits.leaseMs);

    expect(only(effects, "task-released")).toMatchObject([{ reason: "lease-expired" }]);
    expect(only(effects, "rewrite-task")).toMatchObject([
      { revision: 1n, task: { attempts: 0, crashes: { count: 1, workers: ["w1"] } } },
    ]);
    expect(core.takeOne("w2")).toMatchObject({ spec: { index: 0 }, attempt: 2 });
  });

  test("are lost early when heartbeats stop listing them", () => {
    const core = CoreDriver.leading();
    core.store(buildTask(0));
    const lease = core.takeOne("w1");
    core.beat("w1", [listed(lease)]);

    const effects = core.leaveOut("w1");

    expect(only(effects, "task-released")).toMatchObject([{ reason: "lease-dropped" }]);
    expect(only(effects, "rewrite-task")).toHaveLength(1);
  });

  test("are not lost by heartbeats that left them out and came at once", () => {
    const core = CoreDriver.leading();
    core.store(buildTask(0));
    core.beat("w1", [listed(core.takeOne("w1"))]);

    const effects = Array.from({ length: 5 }, () => core.beat("w1", [])).flat();

    expect(effects).toEqual([]);
  });

  test("wait for outcomes that are read late before they are lost early", () => {
    const core = CoreDriver.leading();
    core.store(buildTask(0));
    core.beat("w1", [listed(core.takeOne("w1"))]);
    core.step({ kind: "outcomes-read", count: 10, unread: 100 });

    expect(core.leaveOut("w1")).toEqual([]);
    core.step({ kind: "outcomes-read", count: 100, unread: 10 });
    expect(core.leaveOut("w1")).toEqual([]);
    core.step({ kind: "outcomes-read", count: 10, unread: 0 });

    expect(only(core.beat("w1", []), "task-released")).toMatchObject([{ reason: "lease-dropped" }]);
  });

  test("cost nothing when the grant never reached the worker", () => {
    const core = CoreDriver.leading();
    core.store(buildTask(0));
    core.takeOne("w1");

    const effects = core.leaveOut("w1");

    expect(only(effects, "task-released")).toMatchObject([{ reason: "grant-lost" }]);
    expect(core.takeOne("w2").attempt).toBe(1);
  });

  test("of a worker that was given up are adopted again while the task still waits", () => {
    const core = CoreDriver.leading();
    core.store(buildTask(0));
    const lease = core.takeOne("w1");
    core.wait(limits.leaseMs);

    const effects = core.beat("w1", [listed(lease)]);

    expect(effects).toMatchObject([{ kind: "lease-adopted", fence: lease.fence }]);
    expect(core.ask("w2")).toEqual([]);
  });

  test("that were granted anew make the older holder stop", () => {
    const core = CoreDriver.leading();
    core.store(buildTask(0));
    const lease = core.takeOne("w1");
    core.wait(limits.leaseMs);
    core.takeOne("w2");

    expect(core.beat("w1", [listed(lease)])).toMatchObject([
      { kind: "control-cancel", reason: "lease-superseded", worker: "w1" },
    ]);
  });
});

describe("failures", () => {
  test("of the task spend attempts until the task fails with the last reason", () => {
    const core = CoreDriver.leading();
    core.store(buildTask(0));
    const effects = [1, 2, 3].map(() => core.report("w1", core.takeOne("w1"), taskFault)).at(-1);

    expect(only(effects ?? [], "publish-outcome")).toMatchObject([
      {
        reason: "attempts-exhausted",
        outcome: { kind: OutcomeKind.FAILED, failure: taskFault, worker: "w1", attempt: 3 },
      },
    ]);
    expect(core.ask("w1")).toEqual([]);
  });

  test("three crashes end a task as poison", () => {
    const core = CoreDriver.leading();
    core.store(buildTask(0));
    const effects = [1, 2, 3].flatMap((worker) => {
      core.takeOne(`w${worker}`);
      return core.wait(limits.leaseMs);
    });

    expect(only(effects, "publish-outcome")).toMatchObject([
      { outcome: { kind: OutcomeKind.FAILED, failure: { reason: "POISONED" } } },
    ]);
  });

  test.each(["PROMPT_TOO_LONG", "INVALID_REQUEST"])("%s fails at once", (reason) => {
    const core = CoreDriver.leading();
    core.store(buildTask(0));
    const failure = buildFailure(reason, FailureBlame.TASK);

    const effects = core.report("w1", core.takeOne("w1"), failure);

    expect(only(effects, "publish-outcome")).toMatchObject([{ reason: "not-retryable" }]);
  });

  test("a drained worker's task is retried first and costs nothing", () => {
    const core = CoreDriver.leading();
    core.store(buildTask(0), buildTask(1));

    const effects = core.report("w1", core.takeOne("w1"));

    expect(only(effects, "rewrite-task")).toEqual([]);
    expect(core.takeOne("w2")).toMatchObject({ spec: { index: 0 }, attempt: 1 });
  });

  test("of others cost nothing but a delay", () => {
    const core = CoreDriver.leading();
    core.store(buildTask(0));
    const failure = buildFailure("STORE_UNAVAILABLE", FailureBlame.SHARED);

    core.report("w1", core.takeOne("w1"), failure);

    expect(core.ask("w1")).toEqual([]);
    const [grant] = only(core.wait(limits.handBackDelayMs), "grant");
    expect(grant?.leases).toMatchObject([{ attempt: 1 }]);
  });

  test("hand-backs without end do end", () => {
    const core = CoreDriver.leading();
    core.store(buildTask(0));
    const rounds = limits.handBacksMax + limits.attemptsMax;

    const effects = Array.from({ length: rounds }, () => core.report("w1", core.takeOne("w1")));

    expect(only(effects.at(-1) ?? [], "publish-outcome")).toMatchObject([
      { outcome: { failure: { reason: "HANDED_BACK" } } },
    ]);
  });

  test("need no command to stop, even if a heartbeat crosses their report", () => {
    const core = CoreDriver.leading();
    core.store(buildTask(0));
    const lease = core.takeOne("w1");
    core.report("w1", lease, taskFault);

    expect(core.beat("w1", [listed(lease)])).toEqual([]);
  });

  test("are not charged twice when a report follows the end of its lease", () => {
    const core = CoreDriver.leading();
    core.store(buildTask(0));
    const lease = core.takeOne("w1");
    core.wait(limits.leaseMs);

    expect(core.report("w1", lease, taskFault)).toEqual([]);
  });

  test("a second rewrite waits for the first and then carries the newest attempts", () => {
    const core = CoreDriver.leading();
    core.store(buildTask(0));
    core.report("w1", core.takeOne("w1"), taskFault);
    const second = core.report("w1", core.takeOne("w1"), taskFault);

    const after = core.step({ kind: "task-rewritten", id: idOf(0), revision: 9n });

    expect(only(second, "rewrite-task")).toEqual([]);
    expect(only(after, "rewrite-task")).toMatchObject([{ revision: 9n, task: { attempts: 2 } }]);
  });
});

describe("outcomes", () => {
  test("remove the task, and nothing is told to the worker that made it", () => {
    const core = CoreDriver.leading();
    const task = buildTask(0);
    core.store(task);
    const lease = core.takeOne("w1");

    expect(core.end(task, OutcomeKind.SUCCEEDED, lease.fence)).toEqual([
      { kind: "remove-task", reason: "task-ended", id: idOf(0), revision: 1n },
    ]);
  });

  test("of canceled tasks stop the worker that holds the lease", () => {
    const core = CoreDriver.leading();
    const task = buildTask(0);
    core.store(task);
    const lease = core.takeOne("w1");

    expect(only(core.end(task, OutcomeKind.CANCELED), "control-cancel")).toMatchObject([
      { worker: "w1", reason: "task-ended", leased: { index: 0, fence: lease.fence } },
    ]);
  });

  test("keep stopping a worker that lists an ended task", () => {
    const core = CoreDriver.leading();
    const task = buildTask(0);
    core.store(task);
    const lease = core.takeOne("w1");
    core.end(task, OutcomeKind.CANCELED);

    expect(core.beat("w1", [listed(lease)])).toMatchObject([{ kind: "control-cancel" }]);
  });

  test("that overtake their task keep it from ever being granted", () => {
    const core = CoreDriver.leading();
    core.ask("w1");
    core.end(buildTask(0), OutcomeKind.CANCELED);

    expect(core.store(buildTask(0))).toEqual([
      { kind: "remove-task", reason: "ended-before", id: idOf(0), revision: 1n },
    ]);
  });

  test("seen during a rewrite remove what the rewrite stored", () => {
    const core = CoreDriver.leading();
    const task = buildTask(0);
    core.store(task);
    core.report("w1", core.takeOne("w1"), taskFault);
    core.end(task, OutcomeKind.CANCELED);

    expect(core.step({ kind: "task-rewritten", id: idOf(0), revision: 4n })).toMatchObject([
      { kind: "remove-task", revision: 4n },
    ]);
  });
});

describe("a message that comes again", () => {
  test("newer, names the revision to remove", () => {
    const core = CoreDriver.leading();
    core.store(buildTask(0));
    core.store(buildTask(0));

    expect(core.end(buildTask(0))).toMatchObject([{ kind: "remove-task", revision: 2n }]);
  });

  test("with more attempts, is believed", () => {
    const core = CoreDriver.leading();
    core.store(buildTask(0));
    core.store(buildTask(0, { attempts: 2 }));

    expect(core.takeOne("w1").attempt).toBe(3);
  });
});

describe("a clock that goes back", () => {
  test("counts as one that stands still", () => {
    const core = CoreDriver.leading();
    core.store(buildTask(0));
    core.now -= 60_000;
    const lease = core.takeOne("w1");
    core.now += 60_000 + limits.leaseMs - 1;

    expect(only(core.beat("w1", [listed(lease)]), "task-released")).toEqual([]);
  });
});

describe("expire times", () => {
  test("end a task that no worker took", () => {
    const core = CoreDriver.leading();
    core.store(buildTask(0, { expireAt: core.now + 500 }));

    expect(only(core.wait(500), "publish-outcome")).toMatchObject([
      { reason: "expired", outcome: { kind: OutcomeKind.EXPIRED } },
    ]);
    expect(core.ask("w1")).toEqual([]);
  });

  test("never let a request win against the clock", () => {
    const core = CoreDriver.leading();
    core.store(buildTask(0, { expireAt: core.now + 500 }));
    core.now += 500;

    expect(only(core.ask("w1"), "grant")).toEqual([]);
  });

  test("leave a running task alone until its lease ends", () => {
    const core = CoreDriver.leading();
    core.store(buildTask(0, { expireAt: core.now + 500 }));
    const lease = core.takeOne("w1");

    expect(only(core.wait(600), "publish-outcome")).toEqual([]);
    expect(only(core.report("w1", lease), "publish-outcome")).toMatchObject([
      { reason: "expired" },
    ]);
  });
});
