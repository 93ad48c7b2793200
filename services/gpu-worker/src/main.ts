/** Entry of a worker process. Resources open top to bottom and close bottom to top. */
import { openBlobStore, readBlobsConfig } from "@zfarm/blobs";
import { openBroker, readBrokerConfig } from "@zfarm/broker";
import { type Env, EnvReader, runMain } from "@zfarm/runtime";
import { readGpuWorker } from "./config.ts";
import { wireGpuWorker } from "./wire.ts";

function readConfig(env: Env) {
  const reader = new EnvReader(env);
  const config = {
    broker: readBrokerConfig(reader),
    blobs: readBlobsConfig(reader),
    worker: readGpuWorker(reader),
  };
  reader.finish();
  return config;
}

await runMain("gpu-worker", readConfig, async (app, config) => {
  const { clock, log, registry } = app;
  const { worker, pool } = config.worker;
  const opening = openBroker(config.broker, {
    name: worker,
    user: { role: "worker", pool },
    clock,
    log,
    registry,
  });
  const broker = await app.open("broker", opening, (open) => open.drain());
  const blobs = await app.open("blobs", openBlobStore(config.blobs, app), (open) => open.close());
  await wireGpuWorker(app, config.worker, { broker, blobs });
});
