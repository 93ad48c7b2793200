import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defaultPool, type PoolId } from "@zfarm/contract";
import { readSchedulerConfig } from "@zfarm/scheduler";
import { afterAll, beforeAll, expect, test } from "vitest";
import { refuseOtherAutoscaler, writeAutoscaler } from "./local-autoscaler.ts";

let dataDir: string;
beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "zfarm-local-"));
});
afterAll(() => rm(dataDir, { recursive: true }));

test("the scheduler takes the range, and times for workers that start in seconds", async () => {
  const env = await writeAutoscaler({ dataDir, env: {} }, { min: 0, max: 4 });

  const { actuator, tickMs, pools } = readSchedulerConfig(env).autoscaler;

  expect({ actuator, tickMs }).toEqual({ actuator: "local", tickMs: 1_000 });
  expect(pools.get(defaultPool)?.goals).toMatchObject({ min: 0, max: 4, warm: 0, holdMs: 10_000 });
});

test("the pool is the one that the workers are in", async () => {
  const env = await writeAutoscaler({ dataDir, env: { WORKER_POOL: "large" } }, { min: 1, max: 2 });

  expect([...readSchedulerConfig(env).autoscaler.pools.keys()]).toEqual(["large" as PoolId]);
});

test.each(["AUTOSCALER", "AUTOSCALER_FILE"])("%s and a range do not go together", (name) => {
  const range = { min: 0, max: 4 };

  expect(() => refuseOtherAutoscaler({ [name]: "none" }, range)).toThrow(
    `--workers 0..4 has an autoscaler of its own: unset ${name}, or give one number of workers`,
  );
  expect(() => refuseOtherAutoscaler({ [name]: "" }, range)).not.toThrow();
});
