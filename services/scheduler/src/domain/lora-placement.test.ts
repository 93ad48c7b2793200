/** Adapters decide who goes where, within the bounds that fairness sets. */
import { limits, ShelfTier } from "@zfarm/contract";
import { describe, expect, test } from "vitest";
import {
  adapter,
  buildTask,
  buildTasks,
  CoreDriver,
  listed,
  only,
  shelfOf,
} from "../../testing/drive-core.ts";
import type { SchedulerEffect } from "./scheduler-effect.ts";

const [a, b, c] = [adapter("a"), adapter("b"), adapter("c")];
const loadMs = Number(a.sizeBytes) / limits.shelfStoreBytesPerMs;

/** Workers that ask while the pool drains, so that all of them are there when it goes on. */
function asking(shelves: Record<string, readonly string[]>): CoreDriver {
  const core = CoreDriver.leading();
  core.poolPolicy({ draining: true });
  for (const [worker, digests] of Object.entries(shelves)) {
    core.ask(worker, { shelf: shelfOf(digests, 2) });
  }
  return core;
}

describe("a task with adapters", () => {
  test("goes to the worker that has them, although another has asked before", () => {
    const core = asking({ w1: ["b"], w2: ["a"] });
    core.store(buildTask(0, { adapters: [a] }));

    expect(only(core.poolPolicy({}), "grant")).toMatchObject([
      { worker: "w2", reason: "adapters-warm", placements: ["warm"] },
    ]);
  });

  test("goes to the worker with all of its stack rather than with the first of it", () => {
    const core = asking({ w1: ["a"], w2: ["b", "a"] });
    core.store(buildTask(0, { adapters: [a, b] }));

    expect(only(core.poolPolicy({}), "grant")).toMatchObject([{ worker: "w2" }]);
  });

  test("is counted as cold where its adapters must be loaded, and is charged for it", () => {
    const core = asking({ w1: [] });
    core.store(buildTask(0, { adapters: [a] }));

    expect(only(core.poolPolicy({}), "grant")).toMatchObject([
      { worker: "w1", placements: ["cold"] },
    ]);
  });

  test("goes, cold, to the worker from which nothing has to leave", () => {
    const core = asking({ w1: ["b", "c"], w2: ["b"] });
    core.store(buildTask(0, { adapters: [a] }));

    expect(only(core.poolPolicy({}), "grant")).toMatchObject([{ worker: "w2" }]);
  });

  test("goes, cold, to where it is nearer: in RAM rather than in the store", () => {
    const core = CoreDriver.leading();
    core.poolPolicy({ draining: true });
    core.ask("w1", { shelf: shelfOf([]) });
    const items = [{ digest: "a", sizeBytes: a.sizeBytes, tier: ShelfTier.RAM }];
    core.ask("w2", { shelf: { ...shelfOf([]), items } });
    core.store(buildTask(0, { adapters: [a] }));

    expect(only(core.poolPolicy({}), "grant")).toMatchObject([{ worker: "w2" }]);
  });

  test("finds them warm right after a grant, before the worker has said so", () => {
    const core = CoreDriver.leading();
    core.store(...buildTasks(2, { adapters: [a] }));
    const first = core.askFor("w1", { shelf: shelfOf([]) });
    if (first === undefined) throw new RangeError("no grant");
    core.finishAll(first);

    expect(core.askFor("w1", { shelf: shelfOf([]) })?.placements).toEqual(["warm"]);
  });
});

describe("a warmer task", () => {
  /** "w1" has b; a task with a is first, one with b comes `afterMs` later. */
  function passing(afterMs: number, project = "default"): number | undefined {
    const core = CoreDriver.leading();
    core.store(buildTask(0, { adapters: [a] }));
    core.now += afterMs;
    core.store(buildTask(1, { adapters: [b], project }));
    return core.askFor("w1", { shelf: shelfOf(["b"]) })?.leases[0]?.spec?.index;
  }

  test("passes an older one that would have to load, if it is not much younger", () => {
    expect(passing(limits.affinityLoadsMax * loadMs)).toBe(1);
    expect(passing(limits.affinityLoadsMax * loadMs + 1)).toBe(0);
  });

  test("of another project passes too", () => {
    expect(passing(0, "other")).toBe(1);
  });

  test("of another project does not pass once that is far ahead of its share", () => {
    const core = CoreDriver.leading();
    core.store(...buildTasks(40, { adapters: [b], project: "greedy" }));
    core.store(...buildTasks(40, { adapters: [a] }));
    const greedy: number[] = [];

    for (let round = 0; round < 60; round += 1) {
      const grant = core.askFor("w1", { shelf: shelfOf(["b"], 1) });
      if (grant === undefined) throw new RangeError("no grant");
      if (grant.leases[0]?.spec?.project === "greedy") greedy.push(round);
      core.now += 1_000;
      core.finishAll(grant, 1_000);
    }

    // It may be ahead by the bound and one task; with equal weights the rest is shared.
    expect(greedy.length).toBeGreaterThan(30);
    expect(greedy.length * 2 - 60).toBeLessThanOrEqual(limits.fairLeadMs / 1_000 + 2);
  });

  test("does not pass a task that was tried before", () => {
    const core = CoreDriver.leading();
    core.store(buildTask(0, { adapters: [a], attempts: 1 }), buildTask(1, { adapters: [b] }));

    expect(core.askFor("w1", { shelf: shelfOf(["b"]) })?.leases[0]?.spec?.index).toBe(0);
  });
});

describe("waiting for the worker that has the adapters", () => {
  test("ends with the bound of the wait, when they are loaded elsewhere", () => {
    const core = CoreDriver.leading();
    core.store(buildTask(0, { adapters: [a] }));
    const busy = core.askFor("warm", { shelf: shelfOf(["a"]) });
    core.ask("cold", { shelf: shelfOf([]) });

    expect(only(core.store(buildTask(1, { adapters: [a] })), "grant")).toEqual([]);
    expect(core.reasonsOf()).toEqual({ lora_affinity: 1 });
    let waitedMs = 0;
    for (; waitedMs < 60_000; waitedMs += 100) {
      const running = busy?.leases.map((lease) => listed(lease, 1)) ?? [];
      core.beat("warm", running);
      const [grant] = only(core.wait(100), "grant");
      if (grant !== undefined) break;
      if (waitedMs % 2_000 === 0) core.ask("cold", { shelf: shelfOf([]) });
    }

    expect(waitedMs).toBeLessThanOrEqual(loadMs * limits.affinityHold);
  });

  test("of two tasks ends for each of them at its own time", () => {
    const core = CoreDriver.leading();
    const [small, other] = ["a", "b"].map((digest) => adapter(digest, { sizeBytes: 200_000_000n }));
    const [one, two] = [small ?? a, other ?? b];
    core.store(buildTask(0, { adapters: [one] }), buildTask(1, { adapters: [two] }));
    core.askFor("wa", { shelf: shelfOf(["a"]) });
    core.askFor("wb", { shelf: shelfOf(["b"]) });
    core.now += 500;
    core.ask("cold", { shelf: shelfOf([]) });
    core.store(buildTask(2, { adapters: [one] }), buildTask(3, { adapters: [two] }));
    expect(core.reasonsOf()).toEqual({ lora_affinity: 2 });

    // Woken by its own timers alone, with a free worker whenever it looks.
    const granted: number[] = [];
    const note = (effects: readonly SchedulerEffect[]): void => {
      const grants = only(effects, "grant");
      granted.push(...grants.map(({ leases }) => leases[0]?.spec?.index ?? -1));
      if (grants.length > 0) note(core.ask("cold", { shelf: shelfOf([]) }));
    };
    for (let wake = 0; wake < 400 && granted.length < 2; wake += 1) {
      core.now = Math.max(core.now, core.scheduler.wakesAt ?? core.now);
      note(core.step({ kind: "tick" }));
    }

    expect(new Set(granted)).toEqual(new Set([2, 3]));
  });

  test("is not for a worker that drains", () => {
    const core = CoreDriver.leading();
    core.store(buildTask(0, { adapters: [a] }));
    core.ask("warm", { shelf: shelfOf(["a"]) });
    core.workerPolicy("warm", { draining: true });
    core.ask("cold", { shelf: shelfOf([]) });

    expect(only(core.store(buildTask(1, { adapters: [a] })), "grant")).toMatchObject([
      { worker: "cold" },
    ]);
  });
});

describe("prewarming", () => {
  /** One worker renders with a; a task that needs c waits for it. */
  function busy(): CoreDriver {
    const core = CoreDriver.leading();
    core.store(buildTask(0, { adapters: [a] }));
    core.ask("w1", { shelf: shelfOf(["a"]) });
    core.store(buildTask(1, { adapters: [c] }));
    return core;
  }

  test("has the busy worker fetch what a task near the front needs, once", () => {
    const core = busy();

    expect(only(core.wait(50), "prewarm")).toMatchObject([
      { worker: "w1", adapter: { digest: "c" } },
    ]);
    expect(only(core.wait(50), "prewarm")).toEqual([]);
  });

  test("also where no worker has anything on its device yet", () => {
    const core = CoreDriver.leading();
    core.store(buildTask(0, {}));
    core.ask("w1", { shelf: shelfOf([]) });
    core.store(buildTask(1, { adapters: [c] }));

    expect(only(core.wait(50), "prewarm")).toHaveLength(1);
  });

  test.each([
    ["worker", (core: CoreDriver) => core.workerPolicy("w1", { draining: true })],
    ["pool", (core: CoreDriver) => core.poolPolicy({ draining: true })],
  ])("fetches nothing for a %s that drains", (_, drain) => {
    const core = busy();
    drain(core);

    expect(only(core.wait(50), "prewarm")).toEqual([]);
  });

  test("fetches nothing that some worker has", () => {
    const core = busy();
    core.ask("w2", { slots: 0, shelf: shelfOf(["c"]) });

    expect(only(core.wait(50), "prewarm")).toEqual([]);
  });
});

describe("victims for a smaller pool", () => {
  test("are idle first, then those with the least work, then with the coldest shelf", () => {
    const core = CoreDriver.leading();
    core.store(buildTask(0, { adapters: [b] }));
    core.ask("idle", { slots: 0, shelf: shelfOf([]) });
    core.ask("wanted", { slots: 0, shelf: shelfOf(["c"]) });
    core.ask("busy", { shelf: shelfOf(["b"]) });
    core.store(buildTask(1, { adapters: [c] }));

    const victims = core.scheduler.nameVictims("default" as never, 9);

    expect(victims.map(({ worker, reason }) => [worker, reason])).toEqual([
      ["workers/idle", "coldest-shelf"],
      ["workers/wanted", "idle"],
      ["workers/busy", "least-work"],
    ]);
    expect(victims[1]?.warmBytes).toBe(c.sizeBytes);
  });
});
