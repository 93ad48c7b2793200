/**
 * `zfarm bootstrap`: makes the streams and buckets on the broker, for farms whose services may not
 * (NATS_STREAMS=require), and the object store's bucket where a store is named. With
 * NATS_STREAMS=recreate it makes what was lost anew, and the leader restores it from the manifests.
 * Harmless when repeated; settings come from the environment.
 */
import { parseArgs } from "node:util";
import { openBlobStore, readBlobsConfig } from "@zfarm/blobs";
import { openBroker, readBrokerConfig, readDurability } from "@zfarm/broker";
import { createLog, type Env, EnvReader, logLevels, systemClock } from "@zfarm/runtime";
import type { CommandContext } from "../command.ts";

export async function runBootstrap({ args, env, terminal }: CommandContext): Promise<void> {
  parseArgs({ args: [...args] });
  const { level, config, store } = readSettings(env);
  const log = createLog({ name: "bootstrap", level });
  const broker = await openBroker(config, { name: "bootstrap", user: { role: "bootstrap" }, log });
  await broker.drain();
  terminal.print(`the broker at ${config.servers.join(", ")} has what a farm needs`);
  if (store === undefined) return;
  const blobs = await openBlobStore(store, { clock: systemClock });
  await blobs.close();
  terminal.print("the object store answers, and has its bucket");
}

/** NATS_URL and S3_ENDPOINT and their like, DURABILITY, LOG_LEVEL; all problems at once. */
function readSettings(env: Env) {
  const reader = new EnvReader(env);
  const level = reader.choice("LOG_LEVEL", logLevels, "info");
  const restores = readDurability(reader) === "manifest";
  const config = readBrokerConfig(reader, { restores });
  if (!restores && reader.optionalText("NATS_STREAMS") === "recreate") {
    reader.problem("NATS_STREAMS=recreate needs DURABILITY=manifest: nothing could be restored");
  }
  const hasStore = reader.has("S3_ENDPOINT") || reader.has("BLOBS_DIR");
  const store = hasStore ? readBlobsConfig(reader) : undefined;
  reader.finish();
  return { level, config, store };
}
