import { type Broker, createMemoryFarm } from "@zfarm/broker";
import { OutcomeKind, type Scheduling, taskIdOf } from "@zfarm/contract";
import { Registry, silentLog, systemClock, tracingOff } from "@zfarm/runtime";
import { someControl, someJob, someOutcome, someTask } from "@zfarm/testing";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { BeatEars } from "./beat-ears.ts";
import { Scheduler } from "./domain/scheduler.ts";
import type { SchedulerEvent } from "./domain/scheduler-event.ts";
import { createSchedulerMetrics } from "./metrics.ts";
import { rebuildIndex } from "./rebuild-index.ts";
import { Wishes, type WishesNeeds } from "./wishes.ts";

const budget: Scheduling = {
  priorityClass: 0,
  priority: 0,
  deadlineTime: undefined,
  maxConcurrency: 0,
  maxFailedTasks: 2,
  sampleTasks: 0,
};

let broker: Broker;
let heard: SchedulerEvent[];
let term: AbortController;
let decider: WishesNeeds;

beforeEach(() => {
  broker = createMemoryFarm().connect();
  heard = [];
  term = new AbortController();
  const metrics = createSchedulerMetrics(new Registry());
  const scheduler = new Scheduler(1n);
  const ears = new BeatEars({ link: broker.link, clock: systemClock, log: silentLog });
  decider = {
    needs: { broker, clock: systemClock, log: silentLog, metrics, ears, tracing: tracingOff },
    ended: term.signal,
    scheduler,
    decide: (event) => {
      heard.push(event);
      scheduler.step(event, 1);
    },
  };
});
afterEach(async () => {
  term.abort();
  await broker.drain();
});

/** Follows both logs until every wish of before is told. */
async function tell(wishes: Wishes): Promise<void> {
  void wishes.followControls();
  void wishes.followPolicies();
  await wishes.told();
}

const kinds = (): string[] => heard.map(({ kind }) => kind);

describe("wishes", () => {
  test("are told from the first one on, and then as they come", async () => {
    const revision = await broker.controls.put(someControl(), 0n);
    await broker.controls.put(someControl({ paused: true }), revision as bigint);
    const pool = { pool: "default", draining: true, speculateAfter: 0 };
    await broker.policies.pools.put(pool, 0n);

    await tell(new Wishes(decider));
    await broker.policies.workers.put({ worker: "w1", draining: true }, 0n);

    await expect.poll(kinds).toContain("worker-policy");
    expect(heard).toContainEqual({
      kind: "job-controlled",
      control: someControl({ paused: true }),
    });
    expect(heard).toContainEqual({ kind: "pool-policy", policy: pool });
    expect(kinds().filter((kind) => kind === "job-controlled")).toHaveLength(1);
  });

  test("nobody waits for them once the term has ended", async () => {
    const wishes = new Wishes(decider);
    const told = wishes.told();

    term.abort();

    await told;
    await new Wishes(decider).told();
  });

  test("of a job with a failure budget every old outcome is told before its tasks", async () => {
    await broker.controls.put(someControl({ scheduling: budget }), 0n);
    for (const index of [0, 1]) await publishFailure(index);
    await broker.queue.add(someTask({ index: 2 }));
    const wishes = new Wishes(decider);
    await tell(wishes);

    await rebuildIndex(await queued(), decider, wishes);

    expect(kinds()).toEqual(["job-controlled", "outcome-seen", "outcome-seen", "task-stored"]);
  });

  test("of other jobs only the outcomes of tasks in the queue are told", async () => {
    await publishFailure(0);
    await broker.queue.add(someTask({ index: 2 }));
    const wishes = new Wishes(decider);
    await tell(wishes);

    await rebuildIndex(await queued(), decider, wishes);

    expect(kinds()).toEqual(["task-stored"]);
  });

  test("a budget that a job gets while it runs counts what has failed before", async () => {
    await publishFailure(0);
    await broker.queue.add(someTask({ index: 2 }));
    const wishes = new Wishes(decider);
    await tell(wishes);
    await rebuildIndex(await queued(), decider, wishes);

    await broker.controls.put(someControl({ scheduling: budget }), 0n);

    const expected = ["task-stored", "job-controlled", "outcome-seen"];
    await expect.poll(kinds).toEqual(expected);
    expect(heard.at(-1)).toMatchObject({ id: taskIdOf({ ...someJob(), index: 0 }) });
  });
});

async function publishFailure(index: number): Promise<void> {
  await broker.outcomes.publish(someOutcome({ index, kind: OutcomeKind.FAILED }));
}

async function queued() {
  const found = [];
  for await (const followed of broker.queue.follow(new AbortController().signal)) {
    if (followed.kind === "caught-up") break;
    found.push(...followed.entries);
  }
  return found;
}
