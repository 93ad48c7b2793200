import { ConfigError, EnvReader, findFreePort, silentLog } from "@zfarm/runtime";
import { codeOf } from "@zfarm/testing";
import { describe, expect, test } from "vitest";
import { type BrokerConfig, openBroker, readBrokerConfig } from "./config.ts";

function read(env: Record<string, string>): BrokerConfig {
  const reader = new EnvReader(env);
  const config = readBrokerConfig(reader);
  reader.finish();
  return config;
}

describe("readBrokerConfig", () => {
  test("takes several servers and fills in the rest", () => {
    expect(read({ NATS_URL: "nats://a:4222,tls://b" })).toEqual({
      servers: ["nats://a:4222", "tls://b"],
      credentials: undefined,
      streams: "create",
      replicas: 1,
      shards: 1,
    });
  });

  test("lets only who restores make lost streams anew", () => {
    const env = { NATS_URL: "nats://a", NATS_STREAMS: "recreate" };
    const readAs = (restores: boolean) =>
      readBrokerConfig(new EnvReader(env), { restores }).streams;

    expect([readAs(true), readAs(false)]).toEqual(["recreate", "require"]);
  });

  test("keeps credentials out of sight", () => {
    const config = read({ NATS_URL: "nats://a", NATS_CREDS: "hush", NATS_STREAMS: "require" });

    expect(JSON.stringify(config)).not.toContain("hush");
    expect([config.credentials?.reveal(), config.streams]).toEqual(["hush", "require"]);
  });

  test.each([
    [{}, "NATS_URL is not set"],
    [{ NATS_URL: "http://a" }, "NATS_URL must be nats://host:port"],
    [{ NATS_URL: "nats://a", NATS_STREAMS: "maybe" }, "NATS_STREAMS must be one of"],
    [{ NATS_URL: "nats://a", NATS_REPLICAS: "9" }, "NATS_REPLICAS must be a whole number 1 to 5"],
  ])("refuses %o", (env, problem) => {
    expect(() => read(env)).toThrow(ConfigError);
    expect(() => read(env)).toThrow(problem);
  });
});

test("a broker that does not answer cannot be opened", async () => {
  const config = read({ NATS_URL: `nats://127.0.0.1:${await findFreePort()}` });

  expect(await codeOf(openBroker(config, { name: "test", log: silentLog }))).toBe(
    "BROKER_UNAVAILABLE",
  );
});
