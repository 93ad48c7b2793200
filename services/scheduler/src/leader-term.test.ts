import { type Broker, createMemoryFarm } from "@zfarm/broker";
import { defaultPool, type WorkerId } from "@zfarm/contract";
import { silentLog, startApp } from "@zfarm/runtime";
import { someTask } from "@zfarm/testing";
import { expect, test } from "vitest";
import { readSchedulerConfig, wireScheduler } from "./index.ts";

/** The broker, but that the controls can be read only once the gate opens. */
function behindGate(broker: Broker, gate: Promise<void>): Broker {
  const { controls } = broker;
  return {
    ...broker,
    controls: {
      find: (job) => controls.find(job),
      put: (control, expected) => controls.put(control, expected),
      follow: async function* (stop) {
        await gate;
        yield* controls.follow(stop);
      },
    },
  };
}

test("a leader serves nobody before it knows what is wanted of the jobs", async () => {
  const farm = createMemoryFarm();
  const [broker, workers] = [farm.connect(), farm.connect()];
  await workers.queue.add(someTask());
  const gate = Promise.withResolvers<void>();
  const app = startApp({
    name: "scheduler",
    log: silentLog,
    wire: (wiring) =>
      wireScheduler(wiring, readSchedulerConfig({}), { broker: behindGate(broker, gate.promise) }),
  });
  await app.ready;
  const stop = new AbortController();
  const ask = () => {
    const request = { worker: "w1" as WorkerId, pool: defaultPool, epochSeen: 0n, slotsFree: 1 };
    return workers.link.ask({ ...request, running: [] }, stop.signal);
  };
  await expect
    .poll(() => app.registry.getSingleMetricAsString("zfarm_scheduler_epoch"))
    .toMatch(/ 1/);
  await expect(ask()).rejects.toMatchObject({ code: "NO_LEADER" });

  gate.resolve();

  const granted = async (): Promise<number> =>
    (await ask().catch(() => ({ leases: [] }))).leases.length;
  await expect.poll(granted).toBe(1);
  await app.stop();
  await Promise.all([broker.drain(), workers.drain()]);
});
