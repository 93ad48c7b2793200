/** A handler that throws is a bug: the process must end instead of going on half informed. */
import { execFile } from "node:child_process";
import { findServerForTests, type NatsFarm, openNatsFarm } from "@zfarm/testing";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

const index = new URL("./index.ts", import.meta.url).href;

/** How a process ends whose handler throws at the first heartbeat. */
function endOf(openBroker: string): Promise<{ code: unknown; stderr: string }> {
  const script = `
    import { connectNatsBroker, createMemoryBroker } from "${index}";
    import { silentLog } from "@zfarm/runtime";
    const broker = ${openBroker};
    broker.link.onBeat(() => { throw new RangeError("a bug"); });
    const names = { name: "workers/w1", pool: "default", device: "cpu", model: "m" };
    const worker = { ...names, state: 2, modelDigest: "d", slots: 1, running: 0 };
    broker.link.beat({ worker, running: [] });
    await broker.progress.subscribe({ project: "p", job: "j" }, () => undefined);
    setTimeout(() => process.exit(7), 5_000);
  `;
  return new Promise((resolve) => {
    const args = ["--input-type=module-typescript", "--eval", script];
    execFile(process.execPath, args, { cwd: import.meta.dirname }, (error, _out, stderr) => {
      resolve({ code: error?.code ?? 0, stderr });
    });
  });
}

test("a throwing handler ends a process on the memory broker", async () => {
  const { code, stderr } = await endOf("createMemoryBroker()");

  expect(stderr).toContain("RangeError: a bug");
  expect(code).toBe(1);
});

describe.runIf((await findServerForTests()) !== undefined)("on a real nats-server", () => {
  let farm: NatsFarm;
  beforeEach(async () => {
    farm = await openNatsFarm();
  });
  afterEach(() => farm.close());

  test("a throwing handler ends a process", async () => {
    const options = `{ servers: ["${farm.server.url}"], name: "t", log: silentLog }`;

    const { code, stderr } = await endOf(`await connectNatsBroker(${options})`);

    expect(stderr).toContain("RangeError: a bug");
    expect(code).toBe(1);
  });
});
