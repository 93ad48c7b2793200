/** Outcomes that the leader reads later than the heartbeats of the workers that published them. */
import type { Broker } from "@zfarm/broker";
import { limits } from "@zfarm/contract";
import { createManualClock } from "@zfarm/testing";
import { expect, test } from "vitest";
import { TestFarm } from "../testing/run-farm.ts";

/** The broker, but that outcomes come only once the gate opens, and are announced before. */
function behindGate(broker: Broker, gate: Promise<void>): Broker {
  const { outcomes } = broker;
  const late: Broker["outcomes"] = {
    publish: (outcome) => outcomes.publish(outcome),
    find: (id) => outcomes.find(id),
    list: (job) => outcomes.list(job),
    listProject: (project, max) => outcomes.listProject(project, max),
    lastRevision: () => outcomes.lastRevision(),
    follow: async function* (options) {
      for await (const followed of outcomes.follow(options)) {
        if (followed.kind === "entries" && followed.entries.length > 0) {
          const unread = followed.entries.length + followed.unread;
          yield { kind: "entries", entries: [], unread };
          await gate;
        }
        yield followed;
      }
    },
  };
  return { ...broker, outcomes: late };
}

test("no worker is taken for lost that leaves out its task because it has ended", async () => {
  const farm = new TestFarm(createManualClock());
  const gate = Promise.withResolvers<void>();
  const { app } = await farm.startSchedulerOn(behindGate(farm.connect(), gate.promise), "s1");
  await farm.submit([0]);
  const worker = farm.worker("w1");
  const lease = await worker.takeOne();
  await worker.beat([lease]);
  expect(await worker.finish(lease)).toBe("won");

  for (let left = 2 * limits.unlistedMs; left > 0; left -= limits.beatMs) {
    await farm.pass(limits.beatMs);
    await worker.beat([]);
  }
  gate.resolve();
  await farm.pass(limits.schedulerTickMs);

  const lost = 'zfarm_redeliveries_total{reason="lease_dropped"} 0';
  expect(await app.registry.getSingleMetricAsString("zfarm_redeliveries_total")).toContain(lost);
  expect(await farm.stored(0)).toBeUndefined();
  await farm.stop();
});
