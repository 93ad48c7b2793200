import { createJobId, OutcomeKind } from "@zfarm/contract";
import { describe, expect, test } from "vitest";
import { buildTask, outcomeOf, type TaskOptions } from "../testing/drive-core.ts";
import { isPlaceable, readAsk, readBeat, readReport, taskOf } from "./check-message.ts";

const job = createJobId();
const leased = { project: "default", job, index: 0, fence: 1n, step: 0 };
const request = { worker: "w1", pool: "default", epochSeen: 0n, slotsFree: 1, running: [leased] };

describe("requests for work", () => {
  test("become events", () => {
    expect(readAsk(request, 7)).toMatchObject({ ask: 7, worker: "w1", running: [leased] });
  });

  test.each([{ worker: "" }, { worker: "W 1" }, { pool: "*" }])("with %j are unusable", (bad) => {
    expect(readAsk({ ...request, ...bad }, 7)).toBeUndefined();
  });

  test("lose only the leases that name no task", () => {
    const running = [{ ...leased, job: ">" }, leased];

    expect(readAsk({ ...request, running }, 7)?.running).toEqual([leased]);
  });
});

describe("heartbeats and reports", () => {
  test("without a worker or a task are unusable", () => {
    expect(readBeat({ worker: undefined, running: [] })).toBeUndefined();
    expect(readReport({ worker: "w1", task: undefined })).toBeUndefined();
  });

  test("may name the worker by its resource name", () => {
    expect(readReport({ worker: "workers/w1", task: leased })?.worker).toBe("w1");
  });
});

describe("stored messages", () => {
  const cases: readonly [TaskOptions, boolean][] = [
    [{ job }, true],
    [{ job: "short" }, false],
    [{ job, pool: "a.b" }, false],
    [{ job, project: "" }, false],
  ];
  test.each(cases)("%j can be placed: %s", (options, placeable) => {
    expect(isPlaceable(buildTask(0, options))).toBe(placeable);
  });

  test("without a spec are unusable", () => {
    expect(isPlaceable({ attempts: 0 })).toBe(false);
  });

  test("that are outcomes name the task they end", () => {
    const { spec } = buildTask(3, { job });
    if (spec === undefined) throw new RangeError("no spec");

    expect(taskOf(outcomeOf(spec, OutcomeKind.CANCELED))).toMatchObject({ job, index: 3 });
  });
});
