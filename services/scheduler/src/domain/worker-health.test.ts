import { defaultPool, limits, type TaskKey, type WorkerId } from "@zfarm/contract";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type StrikeVerdict, WorkerHealth } from "./worker-health.ts";

const apartMs = limits.strikeBurstMs;

/** A farm of ten workers whose failures come one after the other, each a new incident. */
class Farm {
  readonly health = new WorkerHealth();
  now = 0;
  poolWorkers = 10;

  /** A failure some time after the one before. */
  strike(worker: string, task: string, cause = "ENGINE_CRASHED"): StrikeVerdict {
    this.now += apartMs;
    return this.strikeAtOnce(worker, task, cause);
  }

  strikeAtOnce(worker: string, task: string, cause = "ENGINE_CRASHED"): StrikeVerdict {
    this.health.advance(this.now);
    const { poolWorkers, now } = this;
    const ids = { worker: worker as WorkerId, task: task as TaskKey, pool: defaultPool };
    return this.health.strike({ ...ids, cause, poolWorkers }, now);
  }

  /** As many failures as put a worker aside, on tasks of its own. */
  breakDown(worker: string, cause?: string): StrikeVerdict {
    const tasks = Array.from({ length: limits.strikesMax }, (_, index) => index);
    const verdicts = tasks.map((task) => this.strike(worker, `${worker}${task}${this.now}`, cause));
    return verdicts.at(-1) ?? "counted";
  }

  isAside(worker: string): boolean {
    return this.health.quarantineOf(worker as WorkerId, this.now) !== undefined;
  }

  wait(ms: number): readonly string[] {
    this.now += ms;
    return this.health.advance(this.now);
  }
}

describe("a worker is put aside", () => {
  test("after failures for one cause on distinct tasks, and for that cause", () => {
    const farm = new Farm();

    expect(farm.strike("w1", "a")).toBe("counted");
    expect(farm.strike("w1", "b")).toBe("counted");
    expect(farm.strike("w1", "c")).toBe("quarantined");

    const quarantine = farm.health.quarantineOf("w1" as WorkerId, farm.now);
    expect(quarantine?.cause).toBe("ENGINE_CRASHED");
    expect(farm.health.nextChangeAt).toBe(quarantine?.until);
  });

  test("not for failures of different causes, on one task, or long ago", () => {
    const farm = new Farm();
    farm.strike("w1", "a", "NAN_OUTPUT");
    farm.strike("w1", "b");
    farm.strike("w1", "c", "WORKER_LOST");
    for (let time = 0; time < 5; time += 1) farm.strike("w2", "d");
    farm.strike("w3", "e");
    farm.strike("w3", "f");
    farm.wait(limits.strikeWindowMs);
    farm.strike("w3", "g");

    expect(["w1", "w2", "w3"].filter((worker) => farm.isAside(worker))).toEqual([]);
  });

  test("not for one crash that took a whole batch along", () => {
    const farm = new Farm();

    for (let task = 0; task < limits.batchTasksMax; task += 1) farm.strikeAtOnce("w1", `t${task}`);

    expect(farm.isAside("w1")).toBe(false);
  });

  test("not when it has finished a picture in between", () => {
    const farm = new Farm();
    farm.strike("w1", "a");
    farm.strike("w1", "b");

    farm.health.succeed("w1" as WorkerId);

    expect(farm.strike("w1", "c")).toBe("counted");
  });

  test("for a time that doubles while it does not do better, up to a bound", () => {
    const farm = new Farm();
    const times: number[] = [];
    for (let time = 0; time < 6; time += 1) {
      farm.breakDown("w1");
      const forMs = farm.health.nextChangeAt - farm.now;
      times.push(forMs);
      expect(farm.wait(forMs - 1)).toEqual([]);
      expect(farm.wait(1)).toEqual(["w1"]);
    }

    const { quarantineMs, quarantineMsMax } = limits;
    expect(times).toEqual(
      [1, 2, 4, 8, 16, 32].map((n) => Math.min(n * quarantineMs, quarantineMsMax)),
    );

    farm.health.succeed("w1" as WorkerId);
    farm.breakDown("w1");
    expect(farm.health.nextChangeAt - farm.now).toBe(quarantineMs);
  });

  test("until an operator forgives it", () => {
    const farm = new Farm();
    farm.breakDown("w1");

    expect(farm.health.forgive("w1" as WorkerId, farm.now - 1)).toBe(false);
    expect(farm.isAside("w1")).toBe(true);
    expect(farm.health.forgive("w1" as WorkerId, farm.now)).toBe(true);
    expect(farm.isAside("w1")).toBe(false);
    expect(farm.strike("w1", "x")).toBe("counted");
    expect(farm.health.nextChangeAt).toBe(Number.POSITIVE_INFINITY);
  });
});

describe("a bad task", () => {
  test("is known by failing the same way elsewhere, and no worker pays for it", () => {
    const farm = new Farm();
    farm.strike("w1", "bad");

    expect(farm.strike("w2", "bad")).toBe("bad-task");

    for (const worker of ["w1", "w2"]) {
      expect(farm.strike(worker, `${worker}a`)).toBe("counted");
      expect(farm.strike(worker, `${worker}b`)).toBe("counted");
    }
  });

  test("frees a worker that was put aside for it", () => {
    const farm = new Farm();
    farm.strike("w1", "bad");
    farm.strike("w1", "a");
    expect(farm.strike("w1", "b")).toBe("quarantined");

    farm.strike("w2", "bad");

    expect(farm.isAside("w1")).toBe(false);
    expect(farm.strike("w1", "c")).toBe("quarantined");
    expect(farm.health.nextChangeAt - farm.now).toBe(limits.quarantineMs);
  });

  test("acquits a worker of the tasks that crashed beside it", () => {
    const farm = new Farm();
    farm.strike("w1", "bad");
    farm.now += apartMs;
    farm.strikeAtOnce("w2", "innocent");
    farm.strikeAtOnce("w2", "bad");
    farm.strikeAtOnce("w2", "innocent too");

    farm.strike("w2", "a");

    expect(farm.strike("w2", "b")).toBe("counted");
    expect(farm.strike("w2", "c")).toBe("quarantined");
  });

  test("proves nothing by failing in another way", () => {
    const farm = new Farm();
    farm.strike("w1", "a", "NAN_OUTPUT");

    expect(farm.strike("w2", "a")).toBe("counted");
  });
});

describe("a pool", () => {
  test.each([1, 2, 3, 4, 10])("of %i keeps half of its workers, and at least one", (size) => {
    const farm = new Farm();
    farm.poolWorkers = size;

    const verdicts = Array.from({ length: size }, (_, index) => farm.breakDown(`w${index}`));

    const aside = verdicts.filter((verdict) => verdict === "quarantined");
    expect(aside).toHaveLength(Math.floor(size / 2));
    expect(new Set(verdicts.slice(aside.length))).toEqual(new Set(["shared-cause"]));
  });

  test("counts again who has been let go", () => {
    const farm = new Farm();
    farm.poolWorkers = 2;
    farm.breakDown("w1");
    farm.wait(limits.quarantineMs);

    expect(farm.breakDown("w2")).toBe("quarantined");
  });
});

test("whatever fails, no more than half of a pool is aside and every quarantine ends", () => {
  const move = fc.record({
    worker: fc.nat(5),
    task: fc.nat(20),
    cause: fc.constantFrom("NAN_OUTPUT", "WORKER_LOST"),
    kind: fc.constantFrom("strike", "strike", "strike", "at-once", "succeed", "forgive", "wait"),
  });
  fc.assert(
    fc.property(fc.array(move, { maxLength: 300 }), (moves) => {
      const farm = new Farm();
      farm.poolWorkers = 6;
      const workers = Array.from({ length: 6 }, (_, index) => `w${index}`);

      for (const { worker, task, cause, kind } of moves) {
        const id = `w${worker}` as WorkerId;
        if (kind === "strike") farm.strike(id, `t${task}`, cause);
        else if (kind === "at-once") farm.strikeAtOnce(id, `t${task}`, cause);
        else if (kind === "succeed") farm.health.succeed(id);
        else if (kind === "forgive") farm.health.forgive(id, farm.now);
        else farm.wait(task * 10_000);

        const aside = workers.filter((each) => farm.isAside(each));
        expect(aside.length).toBeLessThanOrEqual(3);
        expect(farm.health.nextChangeAt === Number.POSITIVE_INFINITY).toBe(aside.length === 0);
      }

      farm.wait(limits.quarantineMsMax);
      expect(workers.filter((each) => farm.isAside(each))).toEqual([]);
    }),
  );
});

test("failures that befall most workers at once put none of them aside", () => {
  const farm = new Farm();
  const workers = Array.from({ length: farm.poolWorkers }, (_, index) => `w${index}`);

  const verdicts = [1, 2, 3].flatMap((round) =>
    workers.map((worker) => farm.strike(worker, `${worker}-${round}`, "UPLOAD_FAILED")),
  );

  expect(verdicts).not.toContain("quarantined");
  expect(workers.filter((worker) => farm.isAside(worker))).toEqual([]);
});
