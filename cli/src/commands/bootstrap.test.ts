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
