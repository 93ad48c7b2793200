import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, test } from "vitest";

const fixture = fileURLToPath(new URL("../test/fixture-service.ts", import.meta.url));

type Line = Readonly<Record<string, unknown>>;

/** A real process that runs the fixture service, with every line it has logged. */
function launch(env: Record<string, string>) {
  const child = spawn(process.execPath, [fixture], {
    env: { PATH: process.env["PATH"], KEY: "hunter2", OPS_HOST: "127.0.0.1", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  started.add(child);
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const lines: Line[] = [];
  const reader = createInterface({ input: child.stdout });
  const closed = once(child, "close");
  const exit = closed.then(() => ({ code: child.exitCode, lines, stderr }));
  const waiting = new Map<string, (line: Line) => void>();
  reader.on("line", (text) => {
    const line: Line = JSON.parse(text);
    lines.push(line);
    waiting.get(String(line["message"]))?.(line);
  });
  const logged = (message: string): Promise<Line> =>
    new Promise((resolve) => {
      const seen = lines.find((line) => line["message"] === message);
      if (seen === undefined) waiting.set(message, resolve);
      else resolve(seen);
    });
  return { child, exit, logged };
}

const started = new Set<ReturnType<typeof spawn>>();
afterEach(() => {
  for (const child of started) child.kill("SIGKILL");
  started.clear();
});

describe("a service process", () => {
  test.each(["SIGTERM", "SIGINT"] as const)("drains on %s and exits with 0", async (signal) => {
    const service = launch({ MODE: "good" });
    await service.logged("app is ready");

    service.child.kill(signal);

    const { code, lines } = await service.exit;
    expect(code).toBe(0);
    expect(lines.map((line) => line["message"]).slice(-4)).toEqual([
      "stop was asked for",
      "app is stopping",
      "closed",
      "app has stopped",
    ]);
  });

  test("answers probes and shows its metrics on the port it logs", async () => {
    const service = launch({ MODE: "good" });
    const { port } = await service.logged("ops server listens");
    await service.logged("app is ready");

    const ready = await fetch(`http://127.0.0.1:${String(port)}/readyz`);
    const metrics = await (await fetch(`http://127.0.0.1:${String(port)}/metrics`)).text();

    expect(ready.status).toBe(200);
    expect(metrics).toContain('zfarm_app_state{state="ready"} 1');
    expect(metrics).toContain("process_cpu_user_seconds_total");
  });

  test("is not ready while it opens; a signal then closes even what opens late", async () => {
    const service = launch({ MODE: "slow-open" });
    const { port } = await service.logged("ops server listens");
    await service.logged("opening");

    const ready = await fetch(`http://127.0.0.1:${String(port)}/readyz`);
    service.child.kill("SIGTERM");

    expect([ready.status, await ready.text()]).toEqual([503, "fixture is starting\n"]);
    const { code, lines } = await service.exit;
    const closed = lines.filter((line) => line["message"] === "closed");
    expect(closed.map((line) => line["resource"])).toEqual(["slow", "first"]);
    expect(code).toBe(0);
  });

  test("exits with 0 when the signal comes before it has wired anything", async () => {
    const service = launch({ MODE: "good" });
    await service.logged("app is starting");

    service.child.kill("SIGTERM");

    expect((await service.exit).code).toBe(0);
  });

  test("exits with 1 at the deadline when a loop is stuck, and names it", async () => {
    const service = launch({ MODE: "stuck-loop", STOP_WITHIN_MS: "100" });
    await service.logged("app is ready");

    service.child.kill("SIGTERM");

    const late = await service.logged("app did not drain in time");
    expect(late["waiting_for"]).toEqual(["loop stuck"]);
    expect((await service.exit).code).toBe(1);
  });

  test("exits at once with 1 on the second signal", async () => {
    const service = launch({ MODE: "stuck-loop", STOP_WITHIN_MS: "3600000" });
    await service.logged("app is ready");

    service.child.kill("SIGTERM");
    await service.logged("app is stopping");
    service.child.kill("SIGTERM");

    expect((await service.exit).code).toBe(1);
  });

  test("exits with 1 when a resource fails to close, after closing the others", async () => {
    const service = launch({ MODE: "failing-close" });
    await service.logged("app is ready");

    service.child.kill("SIGTERM");

    const { code, lines } = await service.exit;
    expect(code).toBe(1);
    expect(lines.map((line) => line["message"])).toContain("closed");
  });

  test.each([
    ["early-return", "loop short returned although nobody asked it to"],
    ["failing-wire", "cannot wire"],
    ["uncaught", "nobody caught this"],
  ])("exits with 1 and the reason in its log: %s", async (mode, reason) => {
    const { code, lines } = await launch({ MODE: mode }).exit;

    expect(code).toBe(1);
    const errors = lines.filter((line) => line["level"] === "error");
    expect(errors).toMatchObject([{ error: { message: reason } }]);
  });
});

describe("a service process with a bad configuration", () => {
  test("exits with 2 and tells all problems, its own and the runtime's", async () => {
    const env = { MODE: "odd", SIZE: "10", KEY: "", OPS_PORT: "65536", LOG_LEVEL: "loud" };

    const { code, stderr, lines } = await launch(env).exit;

    expect([code, lines]).toEqual([2, []]);
    for (const name of ["MODE", "SIZE", "KEY", "OPS_PORT", "LOG_LEVEL"]) {
      expect(stderr).toMatch(new RegExp(`^  ${name} `, "m"));
    }
  });

  test("never shows a secret, neither in a refusal nor in its log", async () => {
    const bad = await launch({ SIZE: "10", KEY_FILE: "/nowhere" }).exit;
    const service = launch({ MODE: "good" });
    await service.logged("app is ready");
    service.child.kill("SIGTERM");
    const good = await service.exit;

    expect(bad.stderr).toContain("KEY and KEY_FILE are both set");
    expect(bad.stderr + JSON.stringify(good.lines)).not.toContain("hunter2");
    expect(JSON.stringify(good.lines)).toContain("[secret]");
  });
});
