/** Entry of a gateway process. Resources open top to bottom and close bottom to top. */
import { openBlobStore, readBlobsConfig } from "@zfarm/blobs";
import { openBroker, readBrokerConfig } from "@zfarm/broker";
import { type Env, EnvReader, runMain } from "@zfarm/runtime";
import { readGateway } from "./config.ts";
import { wireGateway } from "./wire-gateway.ts";

function readConfig(env: Env) {
  const reader = new EnvReader(env);
  const config = {
    broker: readBrokerConfig(reader),
    blobs: readBlobsConfig(reader),
    gateway: readGateway(reader),
  };
  reader.finish();
  return config;
}

await runMain("gateway", readConfig, async (app, config) => {
  const { clock, log, registry } = app;
  const opening = openBroker(config.broker, {
    name: "gateway",
    user: { role: "gateway" },
    clock,
    log,
    registry,
  });
  const broker = await app.open("broker", opening, (open) => open.drain());
  const blobs = await app.open("blobs", openBlobStore(config.blobs, app), (open) => open.close());
  await wireGateway(app, config.gateway, { broker, blobs });
});
