/** Where a service finds its broker, from its environment. */
import type { Clock, EnvReader, Log, Secret } from "@zfarm/runtime";
import type { Broker } from "./broker.ts";
import { connectNatsBroker } from "./nats/connect-nats-broker.ts";

export interface BrokerConfig {
  readonly servers: readonly string[];
  readonly credentials: Secret | undefined;
  readonly streams: "create" | "require";
  readonly replicas: number;
}

const serverPattern = /^(nats|tls):\/\/[^\s,@/]+(:\d+)?(,(nats|tls):\/\/[^\s,@/]+(:\d+)?)*$/;

/**
 * NATS_URL is required: a service on a broker of its own would take jobs that nobody renders.
 * NATS_CREDS (or NATS_CREDS_FILE) holds credentials; NATS_STREAMS=require forbids creating
 * streams, so that a farm whose state vanished does not start over empty.
 */
export function readBrokerConfig(reader: EnvReader): BrokerConfig {
  const urls = reader.text("NATS_URL", {
    pattern: serverPattern,
    rule: "nats://host:port or tls://host:port, several separated by commas",
  });
  return {
    servers: urls.split(","),
    credentials: reader.has("NATS_CREDS") ? reader.secret("NATS_CREDS") : undefined,
    streams: reader.choice("NATS_STREAMS", ["create", "require"], "create"),
    replicas: reader.integer("NATS_REPLICAS", { default: 1, min: 1, max: 5 }),
  };
}

export interface OpenBrokerNeeds {
  /** How the process shows up at the broker. */
  readonly name: string;
  readonly log: Log;
  readonly clock?: Clock;
}

export function openBroker(config: BrokerConfig, needs: OpenBrokerNeeds): Promise<Broker> {
  const { credentials, ...rest } = config;
  return connectNatsBroker({
    ...rest,
    ...needs,
    ...(credentials === undefined ? {} : { credentials }),
  });
}
