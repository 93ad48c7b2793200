/** A farm on one machine whose workers come with its load and go when they have nothing to do. */
import { spawnSync } from "node:child_process";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PriorityClass, TaskState } from "@zfarm/contract";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { waitUntil } from "../chaos/farm/wait-until.ts";
import { cliEntry, type FarmUnderTest, hasNatsServer, startFarm } from "./farm.ts";

const quick = { prompt: "a red house", width: 256, height: 256, steps: 20 };
/** Far more than one worker begins with in the time that interactive pictures have. */
const images = Array.from({ length: 60 }, (_, index) => ({ ...quick, seed: BigInt(index) }));
const scheduling = { priorityClass: PriorityClass.INTERACTIVE };
const patienceMs = 120_000;

describe.skipIf(!(await hasNatsServer()))("a farm of 0 to 3 workers", () => {
  let farm: FarmUnderTest;
  const seen = new Set<number>();

  beforeAll(async () => {
    farm = await startFarm({ workers: "0..3" });
  });
  afterAll(async () => {
    expect(await farm.stop()).toBe(0);
    expect([...seen].filter(isAlive)).toEqual([]);
  });

  async function workers(): Promise<string[]> {
    const running = await farm.processes();
    for (const pid of Object.values(running)) seen.add(pid);
    return Object.keys(running).filter((name) => name.startsWith("worker-"));
  }

  const untilWorkers = (count: number) =>
    waitUntil(`${count} workers`, patienceMs, async () => (await workers()).length === count);

  /** What workers held when they were told to stop. */
  async function heldAtTheEnd(): Promise<number[]> {
    const folder = join(farm.dataDir, "logs");
    const logs = (await readdir(folder)).filter((file) => file.startsWith("worker-"));
    const texts = logs.map((file) => readFile(join(folder, file), "utf8"));
    const lines = (await Promise.all(texts)).flatMap((text) => text.split("\n"));
    const drains = lines.filter((line) => line.includes('"worker drains"'));
    return drains.map((line) => (JSON.parse(line) as { held: number }).held);
  }

  test("has as many as its load needs, though the scheduler dies, and loses nothing", async () => {
    expect(await workers()).toEqual(["worker-1"]);
    const job = await farm.client.createJob({ images, scheduling });
    await untilWorkers(3);
    await waitFewerSeconds();

    const ended = new Map<number, number>();
    for await (const { event } of farm.client.watchJob(job.name)) {
      if (event?.$case !== "taskEnded") continue;
      expect(event.value.state).toBe(TaskState.SUCCEEDED);
      ended.set(Number(event.value.name.split("/").at(-1)), event.value.attempt);
      if (ended.size === 10) await farm.kill("scheduler");
    }

    expect(ended.size).toBe(images.length);
    expect(new Set(ended.values())).toEqual(new Set([1]));
    await untilWorkers(0);
    const held = await heldAtTheEnd();
    expect(held.length).toBeGreaterThanOrEqual(3);
    expect(new Set(held)).toEqual(new Set([0]));
  }, 300_000);

  test("is told as others are what was decided", async () => {
    const status = () => farm.client.getScalingStatus();

    const none = { target: 0, desired: 0, reason: "idle" };
    await expect.poll(status, { timeout: 60_000 }).toMatchObject({
      actuator: "local",
      pools: [none],
    });
  });

  test("comes back from nothing for one picture", async () => {
    const { image } = await farm.client.renderImage({ ...quick, seed: 7n });

    expect(image?.sha256).toMatch(/^[0-9a-f]{64}$/);
    expect(await workers()).toEqual(["worker-1"]);
  });

  /** The next scheduler lets the last worker go sooner than users would like it to. */
  async function waitFewerSeconds(): Promise<void> {
    const path = join(farm.dataDir, "autoscaler.json");
    const text = await readFile(path, "utf8");
    await writeFile(path, text.replace(/("idleSecondsToZero": )\d+/, "$13"));
  }
});

test("a range of workers is refused where all of them are in one process", () => {
  const env = { ...process.env, ZFARM_BROKER: "memory" };
  const args = [cliEntry, "up", "--workers", "0..2", "--port", "0"];

  const run = spawnSync(process.execPath, args, { env, encoding: "utf8" });

  expect(run.status).toBe(2);
  expect(run.stderr).toMatch(/--workers 0\.\.2 needs a nats-server: the broker is in memory/);
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
