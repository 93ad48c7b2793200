/** Brokers on a nats-server of their own. */
import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { type Broker, connectNatsBroker, type NatsBrokerOptions } from "@zfarm/broker";
import { silentLog } from "@zfarm/runtime";
import type { FarmUnderTest } from "../contracts/broker-farm.ts";
import { type NatsServer, type NatsServerOptions, startNatsServer } from "./nats-server.ts";

export interface NatsFarm extends FarmUnderTest {
  readonly server: NatsServer;
  connect(options?: Partial<NatsBrokerOptions>): Promise<Broker>;
  /** As an operator's mistake does. */
  deleteStream(name: string): Promise<void>;
}

/** The options hold for every broker; those given to connect come on top. */
export async function openNatsFarm(
  options: Partial<NatsBrokerOptions> = {},
  serverOptions: NatsServerOptions = {},
): Promise<NatsFarm> {
  const server = await startNatsServer(serverOptions);
  const open: Broker[] = [];
  return {
    server,
    connect: async (own = {}) => {
      const broker = await connectNatsBroker({
        servers: [server.url],
        name: "test",
        log: silentLog,
        ...options,
        ...own,
      });
      open.push(broker);
      return broker;
    },
    deleteStream: async (name) => {
      const connection = await connect({ servers: server.url });
      await (await jetstreamManager(connection)).streams.delete(name);
      await connection.close();
    },
    close: async () => {
      for (const broker of open) await broker.drain();
      await server.stop();
    },
  };
}
