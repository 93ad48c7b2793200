/** Entry of a scheduler process. Resources open top to bottom and close bottom to top. */
import { openBroker, readBrokerConfig } from "@zfarm/broker";
import { type Env, EnvReader, runMain } from "@zfarm/runtime";
import { readScheduler } from "./config.ts";
import { wireScheduler } from "./wire-scheduler.ts";

function readConfig(env: Env) {
  const reader = new EnvReader(env);
  const config = { broker: readBrokerConfig(reader), scheduler: readScheduler(reader) };
  reader.finish();
  return config;
}

await runMain("scheduler", readConfig, async (app, config) => {
  const { clock, log } = app;
  const opening = openBroker(config.broker, { name: config.scheduler.candidate, clock, log });
  const broker = await app.open("broker", opening, (open) => open.drain());
  await wireScheduler(app, config.scheduler, { broker });
});
