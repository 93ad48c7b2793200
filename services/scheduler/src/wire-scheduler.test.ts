import {
  defaultPool,
  FailureBlame,
  FarmError,
  type ListWorkersRequest,
  type ListWorkersResponse,
  limits,
  OutcomeKind,
  taskIdOf,
} from "@zfarm/contract";
import { createManualClock } from "@zfarm/testing";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { buildFailure, outcomeOf, taskFault } from "../testing/drive-core.ts";
import { TestFarm } from "../testing/run-farm.ts";

let farm: TestFarm;
beforeEach(() => {
  farm = new TestFarm(createManualClock());
});
afterEach(async () => {
  await farm.stop();
});

describe("a leading scheduler", () => {
  test("grants what was submitted, and forgets it once its outcome exists", async () => {
    await farm.startScheduler("s1");
    await farm.submit([0, 1]);
    const worker = farm.worker("w1");

    const leases = await worker.take(4);
    for (const lease of leases) await worker.finish(lease);

    expect(leases).toHaveLength(2);
    expect(await farm.stored(0)).toBeUndefined();
    expect(await farm.stored(1)).toBeUndefined();
  });

  test("answers a waiting worker the moment a task comes", async () => {
    await farm.startScheduler("s1");
    const asked = farm.worker("w1").ask();
    await farm.pass(1_000);

    await farm.submit([0]);

    expect((await asked).leases).toMatchObject([{ spec: { index: 0 }, attempt: 1 }]);
  });

  test("answers with nothing after the hold", async () => {
    await farm.startScheduler("s1");
    const asked = farm.worker("w1").ask();

    await farm.pass(limits.askHoldMs + limits.schedulerTickMs);

    expect((await asked).leases).toEqual([]);
  });

  test("answers a request that names no worker with nothing", async () => {
    await farm.startScheduler("s1");
    await farm.submit([0]);

    expect(await farm.worker("Not A Name").take()).toEqual([]);
  });

  test("gives a lost worker's task to another, the crash noted in the queue", async () => {
    await farm.startScheduler("s1");
    await farm.submit([0]);
    const first = await farm.worker("w1").takeOne();

    await farm.pass(limits.leaseMs + limits.schedulerTickMs);
    const second = await farm.worker("w2").takeOne();

    expect(second).toMatchObject({ spec: { index: 0 }, attempt: 2 });
    expect(second.fence > first.fence).toBe(true);
    expect(await farm.stored(0)).toMatchObject({
      attempts: 0,
      crashes: { count: 1, workers: ["w1"] },
    });
  });

  test("keeps a lease that heartbeats list", async () => {
    await farm.startScheduler("s1");
    await farm.submit([0]);
    const worker = farm.worker("w1");
    const lease = await worker.takeOne();

    for (let beat = 0; beat < 20; beat += 1) {
      await farm.pass(limits.beatMs);
      await worker.beat([lease]);
    }

    expect(await farm.stored(0)).toMatchObject({ attempts: 0 });
    expect(await worker.finish(lease)).toBe("won");
  });

  test("ends a task as failed when its attempts are spent", async () => {
    await farm.startScheduler("s1");
    await farm.submit([0]);
    const worker = farm.worker("w1");

    for (let attempt = 1; attempt <= limits.attemptsMax; attempt += 1) {
      await worker.report(await worker.takeOne(), taskFault);
    }

    expect(await farm.outcomeOf(0)).toMatchObject({
      kind: OutcomeKind.FAILED,
      failure: taskFault,
      attempt: limits.attemptsMax,
    });
    expect(await farm.stored(0)).toBeUndefined();
  });

  test("ends a task as expired when no worker came in time", async () => {
    await farm.startScheduler("s1");
    await farm.submit([0], { expireAt: farm.clock.now() + 1_000 });

    await farm.pass(1_000 + limits.schedulerTickMs);

    expect(await farm.outcomeOf(0)).toMatchObject({ kind: OutcomeKind.EXPIRED });
    expect(await farm.stored(0)).toBeUndefined();
  });

  test("tells the worker that holds a canceled task to stop", async () => {
    await farm.startScheduler("s1");
    const [task] = await farm.submit([0]);
    const worker = farm.worker("w1");
    const lease = await worker.takeOne();

    if (task?.spec) await farm.broker.outcomes.publish(outcomeOf(task.spec, OutcomeKind.CANCELED));
    await farm.pass(0);

    expect(worker.commands).toMatchObject([
      { command: { $case: "cancel", value: { index: 0, fence: lease.fence } } },
    ]);
  });

  test("removes a task that is stored again after its outcome", async () => {
    await farm.startScheduler("s1");
    const [task] = await farm.submit([0]);
    const worker = farm.worker("w1");
    await worker.finish(await worker.takeOne());

    if (task !== undefined) await farm.broker.queue.add(task);
    await farm.pass(0);

    expect(await farm.stored(0)).toBeUndefined();
  });

  test("announces how far a waiting task is", async () => {
    await farm.startScheduler("s1");
    const heard: unknown[] = [];
    await farm.broker.progress.subscribe(farm.ref, (progress) => heard.push(progress));
    await farm.submit([0, 1]);
    heard.length = 0;

    await farm.pass(limits.positionEveryMs);

    expect(heard).toMatchObject([
      { index: 0, event: { $case: "queued", value: { position: 0 } } },
      { index: 1, event: { $case: "queued", value: { position: 1 } } },
    ]);
  });
});

describe("progress", () => {
  test("says where a task stands when it arrives, before its worker can begin", async () => {
    await farm.startScheduler("s1");
    const heard: unknown[] = [];
    await farm.broker.progress.subscribe(farm.ref, (progress) => heard.push(progress));
    const granted = farm
      .worker("w1")
      .ask()
      .then((grant) => heard.push(grant.leases.length));
    await farm.pass(0);

    await farm.submit([0, 1, 2]);
    await granted;

    expect(heard).toMatchObject([
      { index: 0, event: { $case: "queued", value: { position: 0 } } },
      1,
      { index: 1, event: { $case: "queued", value: { position: 0 } } },
      { index: 2, event: { $case: "queued", value: { position: 1 } } },
    ]);
  });
});

describe("questions", () => {
  test("about a job are answered with its live tasks", async () => {
    await farm.startScheduler("s1");
    await farm.submit([0, 1]);
    const worker = farm.worker("w1");
    await worker.beat([await worker.takeOne()], 3);

    const { reply } = await farm.query({ $case: "jobStatus", value: farm.ref });

    expect(reply).toMatchObject({
      $case: "jobStatus",
      value: {
        tasks: [
          { worker: "w1", step: 3 },
          { worker: "", position: 0 },
        ],
      },
    });
  });

  test("about workers are answered with their last heartbeats", async () => {
    await farm.startScheduler("s1");
    await farm.worker("w1").beat([]);

    const { reply } = await farm.query({ $case: "listWorkers", value: { pool: "" } });

    expect(reply).toMatchObject({ value: { workers: [{ name: "workers/w1", device: "cpu" }] } });
  });

  test("about many workers are answered page by page, each worker once and by name", async () => {
    await farm.startScheduler("s1");
    for (const name of ["w3", "w1", "w2"]) await farm.worker(name).beat([]);
    const ask = async (value: Partial<ListWorkersRequest>): Promise<ListWorkersResponse> => {
      const query = { $case: "listWorkers", value: { pool: "", pageSize: 2, ...value } } as const;
      const { reply } = await farm.query(query);
      return reply?.$case === "listWorkers" ? reply.value : { workers: [] };
    };

    const first = await ask({});
    const second = await ask({ pageToken: first.nextPageToken });
    const one = await ask({ name: "workers/w2" });

    const names = [first, second, one].map(({ workers }) => workers.map(({ name }) => name));
    expect(names).toEqual([["workers/w1", "workers/w2"], ["workers/w3"], ["workers/w2"]]);
    expect(second.nextPageToken).toBeUndefined();
  });

  test("that this version does not know get no answer but the epoch", async () => {
    await farm.startScheduler("s1");

    expect((await farm.query(undefined)).reply).toBeUndefined();
  });
});

describe("a takeover", () => {
  test("goes to the standby at once when the leader stops, and loses nothing", async () => {
    const { app } = await farm.startScheduler("s1");
    await farm.startScheduler("s2");
    await farm.submit([0]);

    await app.stop();
    await farm.pass(limits.leaderLeaseMs + limits.takeoverGraceMs);

    expect(await farm.worker("w1").takeOne()).toMatchObject({ spec: { index: 0 }, attempt: 1 });
  });

  test("keeps running what workers hold, with the fences they have", async () => {
    const { broker } = await farm.startScheduler("s1");
    await farm.startScheduler("s2");
    await farm.submit([0]);
    const worker = farm.worker("w1");
    const lease = await worker.takeOne();

    await broker.drain();
    for (let beat = 0; beat < 8; beat += 1) {
      await farm.pass(limits.beatMs);
      await worker.beat([lease], beat);
    }

    const { reply } = await farm.query({ $case: "jobStatus", value: farm.ref });
    expect(reply).toMatchObject({ value: { tasks: [{ worker: "w1", attempt: 1 }] } });
    expect(await worker.finish(lease)).toBe("won");
    expect(await farm.stored(0)).toBeUndefined();
  });

  test("reaches a worker that still waits for an answer of the leader that vanished", async () => {
    const { broker } = await farm.startScheduler("s1");
    await farm.startScheduler("s2");
    const worker = farm.worker("w1");
    const abandoned = worker.ask().catch(() => "no answer");
    await farm.pass(0);
    await broker.drain();
    await farm.submit([0]);

    for (let beat = 0; worker.commands.length === 0; beat += 1) {
      expect(beat).toBeLessThan(5);
      await farm.pass(limits.beatMs);
      await worker.beat([]);
    }
    const asked = worker.ask();
    await farm.pass(limits.takeoverGraceMs);

    expect(worker.commands).toMatchObject([{ command: { $case: "announce" } }]);
    expect((await asked).leases).toMatchObject([{ spec: { index: 0 }, attempt: 1 }]);
    await farm.pass(limits.askTimeoutMs);
    expect(await abandoned).toBe("no answer");
  });

  test("needs no time to listen where the standby has listened", async () => {
    const { broker } = await farm.startScheduler("s1");
    await farm.startScheduler("s2");
    await farm.submit([0]);
    const worker = farm.worker("w1");
    const lease = await worker.takeOne();
    await farm.submit([1]);

    await broker.drain();
    let passedMs = 0;
    for (; worker.commands.length === 0; passedMs += 100) {
      await farm.pass(100);
      if (passedMs % limits.beatMs === 0) await worker.beat([lease], 1);
    }
    const asked = farm.worker("w2").ask();
    for (let waiting = true; waiting; passedMs += 100) {
      await farm.pass(100);
      waiting = await Promise.race([asked.then(() => false), farm.pass(0).then(() => true)]);
    }

    expect((await asked).leases).toMatchObject([{ spec: { index: 1 } }]);
    expect(passedMs).toBeLessThan(limits.leaderLeaseMs + limits.takeoverGraceMs / 2);
  });

  test("makes larger fences than any leader before", async () => {
    const { app } = await farm.startScheduler("s1");
    await farm.submit([0, 1]);
    const first = await farm.worker("w1").takeOne();
    await app.stop();
    await farm.startScheduler("s2");
    await farm.pass(limits.leaderLeaseMs + limits.takeoverGraceMs);

    const second = await farm.worker("w2").takeOne();

    expect(second.fence >> 32n > first.fence >> 32n).toBe(true);
  });

  const counts = [2, limits.rebuildListMin];
  test.each(counts)("removes what ended while nobody led, of %i tasks", async (count) => {
    const [ended] = await farm.submit(Array.from({ length: count }, (_, index) => index));
    if (ended?.spec)
      await farm.broker.outcomes.publish(outcomeOf(ended.spec, OutcomeKind.CANCELED));

    await farm.startScheduler("s1");
    await farm.pass(limits.takeoverGraceMs);

    expect(await farm.worker("w1").takeOne()).toMatchObject({ spec: { index: 1 } });
    expect(await farm.stored(0)).toBeUndefined();
  });

  test("remembers the attempts that an earlier leader charged", async () => {
    const { app } = await farm.startScheduler("s1");
    await farm.submit([0]);
    const worker = farm.worker("w1");
    await worker.report(await worker.takeOne(), taskFault);
    await app.stop();
    await farm.startScheduler("s2");
    await farm.pass(limits.leaderLeaseMs + limits.takeoverGraceMs);

    expect(await worker.takeOne()).toMatchObject({ attempt: 2 });
  });
});

describe("a broker that fails now and then", () => {
  const outage = new FarmError("BROKER_UNAVAILABLE", "not now");

  test("delays writes but loses none", async () => {
    await farm.startScheduler("s1", {
      "queue.rewrite": [outage, outage],
      "outcomes.publish": [outage],
      "queue.remove": [outage],
    });
    await farm.submit([0]);
    const worker = farm.worker("w1");

    for (let attempt = 1; attempt <= limits.attemptsMax; attempt += 1) {
      await worker.report(await worker.takeOne(), taskFault);
    }
    await farm.pass(2_000);

    expect(await farm.outcomeOf(0)).toMatchObject({ kind: OutcomeKind.FAILED });
    expect(await farm.stored(0)).toBeUndefined();
  });

  test("ends a term that cannot be rebuilt, and the next one serves", async () => {
    await farm.startScheduler("s1", { "outcomes.lastRevision": [outage, outage] });
    await farm.submit([0]);
    await farm.pass(limits.leaderLeaseMs + limits.takeoverGraceMs);

    expect(await farm.worker("w1").take()).toHaveLength(1);
  });

  test("is not stormed with attempts to lead", async () => {
    const outages = Array.from({ length: 1_000 }, () => outage);
    const { app } = await farm.startScheduler("s1", { "outcomes.lastRevision": outages });

    await farm.pass(1_000);

    expect(await app.registry.metrics()).toContain("zfarm_scheduler_leader 0");
  });

  test("and has lost a stream stops the process", async () => {
    const lost = new FarmError("STATE_LOST", "the queue is gone");
    const { app } = await farm.startScheduler("s1", { "outcomes.lastRevision": [lost] });

    expect(await app.done).toBe(1);
  });
});

describe("a task that was stored again after a takeover, although its outcome exists", () => {
  async function storeAgain() {
    const [task] = await farm.submit([0]);
    if (task?.spec === undefined) throw new RangeError("no task");
    const stored = await farm.broker.queue.find(defaultPool, taskIdOf(task.spec));
    await farm.broker.outcomes.publish(outcomeOf(task.spec, OutcomeKind.CANCELED));
    if (stored !== undefined) await farm.broker.queue.remove(stored.revision);
    await farm.startScheduler("s1");
    await farm.submit([0]);
  }

  test("is removed when its worker drops it", async () => {
    await storeAgain();
    const worker = farm.worker("w1");
    const lease = await worker.takeOne();
    expect(await worker.finish(lease)).toBe("lost");

    await worker.beat([lease]);
    await worker.beat([]);
    await farm.pass(limits.unlistedMs);
    await worker.beat([]);

    expect(await farm.stored(0)).toBeUndefined();
  });

  test("is removed when it fails, and the first outcome stands", async () => {
    await storeAgain();
    const worker = farm.worker("w1");

    await worker.report(await worker.takeOne(), buildFailure("INVALID_REQUEST", FailureBlame.TASK));

    expect(await farm.stored(0)).toBeUndefined();
    expect(await farm.outcomeOf(0)).toMatchObject({ kind: OutcomeKind.CANCELED });
  });
});

describe("the end of a scheduler", () => {
  test("that stops sends waiting workers away at once", async () => {
    const { app } = await farm.startScheduler("s1");
    const asked = farm.worker("w1").ask();
    await farm.pass(0);

    await app.stop();

    expect((await asked).leases).toEqual([]);
    expect(await app.done).toBe(0);
  });

  test("whose broker is drained under it is a failure", async () => {
    const { app, broker } = await farm.startScheduler("s1");

    await broker.drain();
    await farm.pass(20_000);

    expect(await app.done).toBe(1);
  });

  test("that froze for longer than its lease ends its term before it judges workers", async () => {
    await farm.startScheduler("s1");
    await farm.submit([0]);
    await farm.worker("w1").takeOne();

    await farm.freeze(limits.leaseMs * 2);
    await farm.pass(limits.leaderLeaseMs);

    expect(await farm.stored(0)).toMatchObject({ attempts: 0 });
  });

  test("handed back tasks cost no attempt even across failures of others", async () => {
    await farm.startScheduler("s1");
    await farm.submit([0]);
    const worker = farm.worker("w1");
    await worker.report(await worker.takeOne(), buildFailure("STORE_DOWN", FailureBlame.SHARED));

    await farm.pass(limits.handBackDelayMs + limits.schedulerTickMs);

    expect(await worker.takeOne()).toMatchObject({ attempt: 1 });
  });
});
