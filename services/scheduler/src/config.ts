/** The scheduler's settings; everything else about it is a limit of the contract. */
import { type BlobsConfig, readBlobsConfig } from "@zfarm/blobs";
import { type Durability, readDurability } from "@zfarm/broker";
import { type Env, EnvReader } from "@zfarm/runtime";
import { type AutoscalerConfig, readAutoscaler } from "./autoscale/autoscaler-config.ts";

export interface SchedulerConfig {
  /** Who stands for leadership, for operators who look at the lease. */
  readonly candidate: string;
  readonly durability: Durability;
  readonly autoscaler: AutoscalerConfig;
}

/** SCHEDULER_ID, DURABILITY, and what the autoscaler reads. */
export function readScheduler(reader: EnvReader): SchedulerConfig {
  const candidate = reader.text("SCHEDULER_ID", {
    default: "scheduler",
    pattern: /^[A-Za-z0-9][A-Za-z0-9.-]{0,62}$/,
    rule: "1 to 63 of A-Z a-z 0-9 . -, starting with a letter or digit",
  });
  const durability = readDurability(reader);
  if (durability === "stream" && reader.optionalText("NATS_STREAMS") === "recreate") {
    reader.problem("NATS_STREAMS=recreate needs DURABILITY=manifest: nothing could be restored");
  }
  return { candidate, durability, autoscaler: readAutoscaler(reader) };
}

/** The object store, which only manifests need: without it nothing is swept either. */
export function readSchedulerStore(
  reader: EnvReader,
  durability: Durability,
): BlobsConfig | undefined {
  const isSet = reader.has("S3_ENDPOINT") || reader.has("BLOBS_DIR");
  return isSet || durability === "manifest" ? readBlobsConfig(reader) : undefined;
}

export function readSchedulerConfig(env: Env): SchedulerConfig {
  const reader = new EnvReader(env);
  const config = readScheduler(reader);
  reader.finish();
  return config;
}
