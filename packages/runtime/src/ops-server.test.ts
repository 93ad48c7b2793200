import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Counter, Registry } from "./metrics.ts";
import { type OpsServer, openOpsServer } from "./ops-server.ts";

describe("the ops server", () => {
  const registry = new Registry();
  let problems: () => Promise<string[]> = () => Promise.resolve([]);
  let server: OpsServer;
  const ask = async (path: string, method = "GET") => {
    const response = await fetch(`http://127.0.0.1:${server.port}${path}`, { method });
    return { status: response.status, text: await response.text() };
  };

  beforeEach(async () => {
    server = await openOpsServer({
      port: 0,
      host: "127.0.0.1",
      registry,
      problems: () => problems(),
    });
  });
  afterEach(() => server.close());

  test("is alive and ready", async () => {
    problems = () => Promise.resolve([]);

    expect(await ask("/livez")).toEqual({ status: 200, text: "ok\n" });
    expect(await ask("/readyz?verbose")).toEqual({ status: 200, text: "ok\n" });
  });

  test("is alive but not ready, and says why, one problem per line", async () => {
    problems = () => Promise.resolve(["no broker", "no blobs"]);

    expect((await ask("/livez")).status).toBe(200);
    expect(await ask("/readyz")).toEqual({ status: 503, text: "no broker\nno blobs\n" });
  });

  test("answers 500 where readiness itself is broken", async () => {
    problems = () => Promise.reject(new TypeError("boom"));

    expect(await ask("/readyz")).toEqual({ status: 500, text: "TypeError: boom\n" });
  });

  test("shows metrics in Prometheus' text format", async () => {
    const name = "zfarm_test_total";
    new Counter({ name, help: "A test.", registers: [registry] }).inc(3);

    expect((await ask("/metrics")).text).toContain("zfarm_test_total 3");
  });

  test.each([
    ["/", "GET", 404],
    ["/metrics/x", "GET", 404],
    ["/livez", "POST", 405],
    ["/livez", "HEAD", 200],
  ])("answers %s %s with %i", async (path, method, status) => {
    expect((await ask(path, method)).status).toBe(status);
  });

  test("refuses a port that is taken", async () => {
    const again = openOpsServer({ ...server, host: "127.0.0.1", registry, problems });

    await expect(again).rejects.toThrow("EADDRINUSE");
  });

  test("closes at once although a client keeps its connection", async () => {
    await ask("/livez");

    await server.close();

    await expect(ask("/livez")).rejects.toThrow();
  });
});
