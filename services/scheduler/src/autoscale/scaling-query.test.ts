import { createMemoryFarm } from "@zfarm/broker";
import type { ScalingReply } from "@zfarm/contract";
import { silentLog, startApp } from "@zfarm/runtime";
import { someTask } from "@zfarm/testing";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readSchedulerConfig, wireScheduler } from "../index.ts";

let farm: ReturnType<typeof createMemoryFarm>;
const ends: (() => Promise<void>)[] = [];

beforeEach(() => {
  farm = createMemoryFarm();
});

afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

test("whoever asks is told what the leader wants of each pool, and why", async () => {
  const [broker, client] = [farm.connect(), farm.connect()];
  await client.queue.add(someTask());
  const app = startApp({
    name: "scheduler",
    log: silentLog,
    wire: (wiring) => wireScheduler(wiring, readSchedulerConfig({}), { broker }),
  });
  ends.push(
    () => app.stop(),
    () => client.drain(),
    () => broker.drain(),
  );
  await app.ready;
  const ask = async (): Promise<ScalingReply | undefined> => {
    const query = { $case: "scaling", value: {} } as const;
    const answer = await client.queries.ask({ query }).catch(() => undefined);
    return answer?.reply?.$case === "scaling" ? answer.reply.value : undefined;
  };

  await expect.poll(ask).toMatchObject({
    actuator: "none",
    pools: [{ pool: "default", desired: 1, target: 0, inputs: { waitingTasks: 1 } }],
  });
  expect(await app.registry.metrics()).toMatch(/zfarm_autoscale_desired_workers\{.*\} 1/);
});
