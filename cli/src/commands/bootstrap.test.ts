import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { openBroker, readBrokerConfig } from "@zfarm/broker";
import { EnvReader, silentLog } from "@zfarm/runtime";
import { codeOf, findServerForTests, type NatsServer, startNatsServer } from "@zfarm/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { runBootstrap } from "./bootstrap.ts";

const server = await findServerForTests();

describe.runIf(server !== undefined)("zfarm bootstrap", () => {
  let nats: NatsServer;
  beforeEach(async () => {
    nats = await startNatsServer();
  });
  afterEach(() => nats.stop());

  it("makes what services that may not make streams need, also when repeated", async () => {
    const reader = new EnvReader({ NATS_URL: nats.url, NATS_STREAMS: "require" });
    const config = readBrokerConfig(reader);
    const open = () => openBroker(config, { name: "test", log: silentLog });
    expect(await codeOf(open())).toBe("STATE_LOST");

    await run({ NATS_URL: nats.url });
    expect(await run({ NATS_URL: nats.url })).toContain(nats.url);

    const broker = await open();
    expect(broker.problem()).toBeUndefined();
    await broker.drain();
  });

  it("makes anew what was lost where it can be restored, and nowhere else", async () => {
    await run({ NATS_URL: nats.url });
    const connection = await connect({ servers: nats.url });
    const manager = await jetstreamManager(connection);
    await jetstream(connection).publish("policy.pool.default");
    await manager.streams.delete("QUEUE");
    await connection.close();

    expect(await codeOf(run({ NATS_URL: nats.url }))).toBe("STATE_LOST");
    const recreate = { NATS_URL: nats.url, NATS_STREAMS: "recreate" };
    await expect(run(recreate)).rejects.toMatchObject({
      problems: ["NATS_STREAMS=recreate needs DURABILITY=manifest: nothing could be restored"],
    });
    expect(await run({ ...recreate, DURABILITY: "manifest" })).toContain(nats.url);
  });

  it("names every setting that is wrong", async () => {
    const wrong = { NATS_URL: "http://nowhere", NATS_REPLICAS: "9" };
    await expect(run(wrong)).rejects.toMatchObject({
      problems: [expect.stringContaining("NATS_URL"), expect.stringContaining("NATS_REPLICAS")],
    });
  });
});

async function run(env: Record<string, string>): Promise<string> {
  const lines: string[] = [];
  const terminal = {
    print: (line: string) => lines.push(line),
    note: () => {},
    progress: () => {},
  };
  const quiet = { LOG_LEVEL: "error", ...env };
  await runBootstrap({ args: [], env: quiet, terminal, stop: new AbortController().signal });
  return lines.join("\n");
}
