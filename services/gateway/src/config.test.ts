import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { limits } from "@zfarm/contract";
import { describe, expect, test } from "vitest";
import { readGatewayConfig } from "./config.ts";

describe("readGatewayConfig", () => {
  test("has a default for everything", () => {
    expect(readGatewayConfig({})).toEqual({
      host: "0.0.0.0",
      port: 50_051,
      reflection: true,
      drainMs: limits.drainMs,
      durability: "stream",
      uploadDir: join(tmpdir(), `zfarm-uploads-${userInfo().uid}`),
    });
  });

  test("names every problem at once", () => {
    const read = () => readGatewayConfig({ GATEWAY_PORT: "65536", GATEWAY_REFLECTION: "maybe" });

    expect(read).toThrow(/GATEWAY_PORT.*GATEWAY_REFLECTION/);
  });
});
