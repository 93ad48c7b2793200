import { FailureBlame, limits, OutcomeKind } from "@zfarm/contract";
import { describe, expect, test } from "vitest";
import {
  buildFailure,
  buildTask,
  CoreDriver,
  idOf,
  listed,
  startAt,
  taskFault,
} from "../../testing/drive-core.ts";
import type { TaskSituation } from "./farm-view.ts";

const expireInMs = 50_000;
const task = buildTask(0, { expireAt: startAt + expireInMs });
/** The first lease that a core of epoch 1 gives out. */
const lease = { spec: task.spec, fence: (1n << 32n) + 1n, attempt: 1 };
const shared = buildFailure("STORE_UNAVAILABLE", FailureBlame.SHARED);
const fatal = buildFailure("INVALID_REQUEST", FailureBlame.TASK);

const situations: Record<TaskSituation, (core: CoreDriver) => void> = {
  unknown: () => undefined,
  waiting: (core) => core.store(task),
  delayed: (core) => {
    core.store(task);
    core.report("w1", core.takeOne("w1"), shared);
  },
  leased: (core) => {
    core.store(task);
    core.takeOne("w1");
  },
  ending: (core) => {
    core.store(task);
    core.report("w1", core.takeOne("w1"), fatal);
  },
  ended: (core) => {
    core.store(task);
    core.takeOne("w1");
    core.end(task);
  },
};

const events: Record<string, (core: CoreDriver) => void> = {
  "stored again": (core) => core.store(task),
  rewritten: (core) => core.step({ kind: "task-rewritten", id: idOf(0), revision: 9n }),
  "outcome seen": (core) => core.end(task, OutcomeKind.CANCELED),
  "work asked": (core) => core.ask("w2"),
  "lease listed": (core) => core.beat("w1", [listed(lease)]),
  "newer lease listed": (core) => core.beat("w2", [{ ...listed(lease), fence: 9n << 32n }]),
  "lease left out": (core) => core.leaveOut("w1"),
  "failure reported": (core) => core.report("w1", lease, taskFault),
  "handed back": (core) => core.report("w1", lease),
  "lease time over": (core) => core.wait(limits.leaseMs),
  "expire time over": (core) => core.wait(expireInMs),
  rebuilt: (core) => core.step({ kind: "rebuilt" }),
};

const columns = ["unknown", "waiting", "delayed", "leased", "ending", "ended"] as const;

/** What becomes of a task, by event, in the order of the columns. */
const table: Record<string, readonly TaskSituation[]> = {
  "stored again": ["waiting", "waiting", "delayed", "leased", "ending", "ended"],
  rewritten: ["unknown", "waiting", "delayed", "leased", "ending", "ended"],
  "outcome seen": ["ended", "ended", "ended", "ended", "ended", "ended"],
  "work asked": ["unknown", "leased", "delayed", "leased", "ending", "ended"],
  // A delayed task was handed back under this lease, so the lease is over for good.
  "lease listed": ["unknown", "leased", "delayed", "leased", "ending", "ended"],
  "newer lease listed": ["unknown", "leased", "leased", "leased", "ending", "ended"],
  // Takes longer than the delay.
  "lease left out": ["unknown", "waiting", "waiting", "waiting", "ending", "ended"],
  "failure reported": ["unknown", "waiting", "delayed", "waiting", "ending", "ended"],
  "handed back": ["unknown", "waiting", "delayed", "waiting", "ending", "ended"],
  "lease time over": ["unknown", "waiting", "waiting", "waiting", "ending", "ended"],
  "expire time over": ["unknown", "ending", "ending", "ending", "ending", "ended"],
  rebuilt: ["unknown", "waiting", "delayed", "leased", "ending", "ended"],
};

describe("every event in every situation", () => {
  const cases = Object.entries(table).flatMap(([event, after]) =>
    columns.map((before, column) => ({ event, before, after: after[column] })),
  );

  test.each(cases)("$before, then $event: $after", ({ event, before, after }) => {
    const core = CoreDriver.leading();
    situations[before](core);
    expect(core.scheduler.situationOf(idOf(0))).toBe(before);

    events[event]?.(core);

    expect(core.scheduler.situationOf(idOf(0))).toBe(after);
  });

  test("is in the table", () => {
    expect(Object.keys(table)).toEqual(Object.keys(events));
    expect(columns).toEqual(Object.keys(situations));
  });
});
