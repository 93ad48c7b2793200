/** The streams as an operator with bad luck has them: changed or deleted behind the farm's back. */
import { type JetStreamManager, jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import type { ChaosFarm } from "../farm/chaos-farm.ts";

export async function withStreams<Result>(
  farm: ChaosFarm,
  use: (manager: JetStreamManager) => Promise<Result>,
): Promise<Result> {
  const connection = await connect({ servers: farm.natsUrl });
  try {
    return await use(await jetstreamManager(connection));
  } finally {
    await connection.close();
  }
}
