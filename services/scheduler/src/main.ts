/** Entry of a scheduler process. Resources open top to bottom and close bottom to top. */
import { openBlobStore } from "@zfarm/blobs";
import { openBroker, readBrokerConfig } from "@zfarm/broker";
import { type Env, EnvReader, runMain } from "@zfarm/runtime";
import { readScheduler, readSchedulerStore } from "./config.ts";
import { wireScheduler } from "./wire-scheduler.ts";

function readConfig(env: Env) {
  const reader = new EnvReader(env);
  const scheduler = readScheduler(reader);
  const blobs = readSchedulerStore(reader, scheduler.durability);
  const broker = readBrokerConfig(reader, { restores: scheduler.durability === "manifest" });
  reader.finish();
  return { broker, scheduler, blobs };
}

await runMain("scheduler", readConfig, async (app, config) => {
  const { clock, log, registry } = app;
  // First: whoever makes lost streams anew must be able to restore them.
  const opened = config.blobs === undefined ? undefined : openBlobStore(config.blobs, app);
  const blobs = opened && (await app.open("blobs", opened, (open) => open.close()));
  const opening = openBroker(config.broker, {
    name: config.scheduler.candidate,
    user: { role: "scheduler" },
    clock,
    log,
    registry,
  });
  const broker = await app.open("broker", opening, (open) => open.drain());
  await wireScheduler(app, config.scheduler, { broker, ...(blobs === undefined ? {} : { blobs }) });
});
