import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { openBroker, readBrokerConfig } from "@zfarm/broker";
import { EnvReader, silentLog } from "@zfarm/runtime";
import {
  codeOf,
  findServerForTests,
  hasMinioForTests,
  type NatsServer,
  startMinio,
  startNatsServer,
} from "@zfarm/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { runBootstrap } from "./bootstrap.ts";

const server = await findServerForTests();
const hasMinio = await hasMinioForTests();

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
    const wrong = { NATS_URL: "http://nowhere", NATS_REPLICAS: "9", S3_ENDPOINT: "s3.example" };
    const named = ["NATS_URL", "NATS_REPLICAS", "S3_ENDPOINT", "S3_ACCESS_KEY", "S3_SECRET_KEY"];
    await expect(run(wrong)).rejects.toMatchObject({
      problems: named.map((name) => expect.stringContaining(name)),
    });
  });

  it("ends with a failure where the object store is away, and has made the streams", async () => {
    const away = {
      S3_ENDPOINT: "http://127.0.0.1:1",
      S3_ACCESS_KEY: "key",
      S3_SECRET_KEY: "secret",
    };

    expect(await codeOf(run({ NATS_URL: nats.url, ...away }))).toBe("STORE_UNAVAILABLE");

    const reader = new EnvReader({ NATS_URL: nats.url, NATS_STREAMS: "require" });
    const broker = await openBroker(readBrokerConfig(reader), { name: "test", log: silentLog });
    expect(broker.problem()).toBeUndefined();
    await broker.drain();
  });

  it.runIf(hasMinio)("makes the object store's bucket, also when repeated", async () => {
    const s3 = await startMinio();
    const store = {
      S3_ENDPOINT: s3.endpoint,
      S3_BUCKET: "pictures",
      S3_ACCESS_KEY: s3.accessKey,
      S3_SECRET_KEY: s3.secretKey,
    };
    try {
      const first = await run({ NATS_URL: nats.url, ...store });
      const again = await run({ NATS_URL: nats.url, ...store });

      expect(first).toContain("the object store answers, and has its bucket");
      expect(again).toBe(first);
      const wrong = run({ NATS_URL: nats.url, ...store, S3_SECRET_KEY: "wrong" });
      expect(await codeOf(wrong)).toBe("STORE_UNAVAILABLE");
    } finally {
      await s3.stop();
    }
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
