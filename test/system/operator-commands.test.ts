/** What operators type, on a whole farm: they see what it does, and it does what they want. */
import { spawnSync } from "node:child_process";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cliEntry, type FarmUnderTest, startFarm } from "./farm.ts";

const wall = { timeout: 20_000 };
const small = { prompt: "a red house", width: 128, height: 128, steps: 1 };

describe("operators' commands", () => {
  let farm: FarmUnderTest;

  function zfarm(...args: string[]): { code: number | null; text: string; notes: string } {
    const argv = [cliEntry, ...args, "--address", farm.address];
    const result = spawnSync(process.execPath, argv, { encoding: "utf8" });
    return { code: result.status, text: result.stdout.trimEnd(), notes: result.stderr };
  }

  beforeAll(async () => {
    farm = await startFarm({ workers: 1, env: { ZFARM_BROKER: "memory" } });
  });
  afterAll(async () => {
    expect(await farm.stop()).toBe(0);
  });

  test("show the worker once it has started", async () => {
    await expect.poll(() => zfarm("workers").text, wall).toMatch(/worker-1 +default +ready/);
  });

  test("lock a worker: what waits says so, and goes on when it is unlocked", async () => {
    expect(zfarm("workers", "lock", "worker-1", "--reason", "fan is loud").code).toBe(0);
    await expect.poll(() => zfarm("workers").text, wall).toMatch(/locked .*\(fan is loud\)/);
    const job = await farm.client.createJob({ images: [small, small] });

    const waits = (): string => zfarm("queue").text;
    await expect.poll(waits, wall).toContain("default waits for draining 2");
    expect(zfarm("workers", "--state", "ready", "--json").text).toBe("");
    expect(zfarm("top", "--once").text).toMatch(/worker-1 +default +locked +0\/\d/);
    expect(zfarm("workers", "unlock", "worker-1").code).toBe(0);

    const succeeded = async () => (await farm.client.getJob(job.name)).counts?.succeeded;
    await expect.poll(succeeded, wall).toBe(2);
  });

  test("put a worker aside with a reason and an end, and forgive it", async () => {
    const aside = ["--reason", "stripes", "--for", "2h"];
    expect(zfarm("workers", "quarantine", "worker-1", ...aside).code).toBe(0);

    const shown = (): string => zfarm("workers", "show", "worker-1").text;
    await expect.poll(shown, wall).toContain("quarantined: stripes, for 120 min");
    expect(zfarm("workers", "forgive", "worker-1").code).toBe(0);
    await expect.poll(shown, wall).toMatch(/state +ready/);
    expect(zfarm("workers", "show", "nobody")).toMatchObject({
      code: 1,
      notes: expect.stringContaining("WORKER_NOT_FOUND"),
    });
  });

  test("say how many workers a pool may have, and take it back", () => {
    expect(zfarm("pool", "set", "default", "--min", "1", "--max", "4").text).toContain(
      "workers 1 to 4",
    );
    expect(zfarm("pool", "set", "default", "--paused", "yes").text).toContain("1 to 4, paused");
    expect(zfarm("pool", "set", "default", "--min", "5")).toMatchObject({
      code: 1,
      notes: expect.stringContaining("conduct.scaling.workers_min"),
    });
    zfarm("pool", "set", "default", "--min", "auto", "--max", "auto", "--paused", "no");
    expect(zfarm("pools").text).toMatch(/z-image-nano .* as configured/);
  });
});
