/** Where a service finds its broker, from its environment. */
import { limits } from "@zfarm/contract";
import type { Clock, EnvReader, Log, Registry, Secret } from "@zfarm/runtime";
import type { Broker } from "./broker.ts";
import type { BrokerUser } from "./broker-users.ts";
import { connectNatsBroker } from "./nats/connect-nats-broker.ts";
import type { StreamsMode } from "./nats/declare-streams.ts";

export interface BrokerConfig {
  readonly servers: readonly string[];
  readonly credentials: Secret | undefined;
  readonly streams: StreamsMode;
  readonly replicas: number;
  readonly shards: number;
}

/**
 * What an accepted job survives. "stream": what the broker survives. "manifest": the loss of the
 * broker too, because the job and its outcomes are in the object store before anybody is told.
 */
export type Durability = "stream" | "manifest";

/** DURABILITY, which must be the same for all services of a farm. */
export function readDurability(reader: EnvReader): Durability {
  return reader.choice("DURABILITY", ["stream", "manifest"], "stream");
}

interface ReadOptions {
  /** Whether this process restores what it makes anew; others take "recreate" for "require". */
  readonly restores?: boolean;
}

const serverPattern = /^(nats|tls):\/\/[^\s,@/]+(:\d+)?(,(nats|tls):\/\/[^\s,@/]+(:\d+)?)*$/;

/**
 * NATS_URL is required: a service on a broker of its own would take jobs that nobody renders.
 * NATS_CREDS (or NATS_CREDS_FILE) holds a credentials file or the seed of an nkey.
 * NATS_STREAMS=require forbids creating streams, so that a farm whose state vanished does not
 * start over empty.
 */
export function readBrokerConfig(
  reader: EnvReader,
  { restores = false }: ReadOptions = {},
): BrokerConfig {
  const urls = reader.text("NATS_URL", {
    pattern: serverPattern,
    rule: "nats://host:port or tls://host:port, several separated by commas",
  });
  const streams = reader.choice("NATS_STREAMS", ["create", "require", "recreate"], "create");
  return {
    servers: urls.split(","),
    credentials: reader.has("NATS_CREDS") ? reader.secret("NATS_CREDS") : undefined,
    streams: streams === "recreate" && !restores ? "require" : streams,
    replicas: reader.integer("NATS_REPLICAS", { default: 1, min: 1, max: 5 }),
    shards: reader.integer("FARM_SHARDS", { default: 1, min: 1, max: limits.shardsMax }),
  };
}

export interface OpenBrokerNeeds {
  /** How the process shows up at the broker. */
  readonly name: string;
  /** Whose rights it has there; absent for whoever may do everything. */
  readonly user?: BrokerUser;
  readonly log: Log;
  readonly clock?: Clock;
  /** Where requests are measured; absent: nowhere. */
  readonly registry?: Registry;
}

export function openBroker(config: BrokerConfig, needs: OpenBrokerNeeds): Promise<Broker> {
  const { credentials, ...rest } = config;
  return connectNatsBroker({
    ...rest,
    ...needs,
    ...(credentials === undefined ? {} : { credentials }),
  });
}
