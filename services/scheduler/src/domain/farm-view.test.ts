import { type JobId, limits, type ProjectId, WorkerState } from "@zfarm/contract";
import { describe, expect, test } from "vitest";
import { buildTask, CoreDriver, listed, only } from "../../testing/drive-core.ts";

const job = { project: "default" as ProjectId, job: "j" as JobId };

describe("a job's description", () => {
  test("shows who runs a task, how far it is, and what waits", () => {
    const core = CoreDriver.leading();
    core.store(buildTask(0), buildTask(1), buildTask(2));
    core.beat("w1", [listed(core.takeOne("w1"), 3)]);

    expect(core.scheduler.describeJob(job)).toMatchObject([
      { index: 0, worker: "w1", attempt: 1, step: 3 },
      { index: 1, worker: "", position: 0 },
      { index: 2, worker: "", position: 1 },
    ]);
  });

  test("is empty for a job without live tasks", () => {
    const core = CoreDriver.leading();
    core.store(buildTask(0));
    core.end(buildTask(0));

    expect(core.scheduler.describeJob(job)).toEqual([]);
  });

  test("says only that a task is far back when it is", () => {
    const core = CoreDriver.leading();
    for (let index = 0; index < 300; index += 1) core.store(buildTask(index));

    expect(core.scheduler.describeJob(job).at(-1)?.position).toBe(limits.positionTasksMax);
  });
});

describe("the list of workers", () => {
  test("shows what each said last and when", () => {
    const core = CoreDriver.leading();
    core.beat("w2", [], WorkerState.BUSY);
    core.beat("w1", []);

    expect(core.scheduler.listWorkers("default")).toMatchObject([
      { name: "workers/w1", state: WorkerState.READY, heartbeatTime: new Date(core.now) },
      { name: "workers/w2", state: WorkerState.BUSY },
    ]);
    expect(core.scheduler.listWorkers("large")).toEqual([]);
  });

  test("forgets a silent worker after a bound", () => {
    const core = CoreDriver.leading();
    core.beat("w1", []);

    core.wait(limits.workerForgetMs - 1);
    expect(core.scheduler.listWorkers("")).toHaveLength(1);
    core.wait(1);
    expect(core.scheduler.listWorkers("")).toEqual([]);
  });
});

describe("positions", () => {
  test("are announced in turn of projects, for the first of the line only", () => {
    const core = CoreDriver.leading();
    for (let index = 0; index < 300; index += 1) core.store(buildTask(index, { project: "a" }));
    core.store(buildTask(0, { project: "b" }));

    const announced = only(core.wait(limits.positionEveryMs), "announce-position");

    expect(announced).toHaveLength(limits.positionTasksMax);
    expect(announced.slice(0, 3).map(({ id, position }) => [id.project, position])).toEqual([
      ["a", 0],
      ["b", 1],
      ["a", 2],
    ]);
  });

  test("are announced once a period, not once a tick", () => {
    const core = CoreDriver.leading();
    core.store(buildTask(0));
    core.wait(limits.positionEveryMs);

    expect(core.wait(limits.positionEveryMs - 1)).toEqual([]);
    expect(core.wait(1)).toHaveLength(1);
  });
});
