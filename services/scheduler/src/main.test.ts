/** The real process on a real nats-server. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { type Broker, openBroker } from "@zfarm/broker";
import { createJobId } from "@zfarm/contract";
import { silentLog, systemClock } from "@zfarm/runtime";
import { findServerForTests, type NatsServer, startNatsServer } from "@zfarm/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildTask } from "../testing/drive-core.ts";
import { LinkWorker } from "../testing/link-worker.ts";

const hasServer = (await findServerForTests()) !== undefined;
const over = new AbortController();
let nats: NatsServer;
let broker: Broker;

function startProcess(env: Record<string, string>): ChildProcess {
  const entry = new URL("./main.ts", import.meta.url).pathname;
  return spawn(process.execPath, [entry], {
    env: { LOG_LEVEL: "info", ...env },
    stdio: ["ignore", "pipe", "ignore"],
  });
}

/** A scheduler that has begun to stand by. */
async function startScheduler(id: string): Promise<ChildProcess> {
  const child = startProcess({ NATS_URL: nats.url, SCHEDULER_ID: id });
  const lines = createInterface({ input: child.stdout ?? process.stdin });
  for await (const line of lines) if (line.includes("standing by")) break;
  child.stdout?.resume();
  return child;
}

async function exitCode(child: ChildProcess): Promise<unknown> {
  if (child.exitCode !== null) return child.exitCode;
  const [code] = await once(child, "exit");
  return code;
}

/** Whether the leader has heard the worker's heartbeat, and so what was sent before it. */
async function knows(name: string): Promise<boolean> {
  const { reply } = await broker.queries.ask({
    query: { $case: "listWorkers", value: { pool: "" } },
  });
  const workers = reply?.$case === "listWorkers" ? reply.value.workers : [];
  return workers.some((worker) => worker.name === `workers/${name}`);
}

describe.skipIf(!hasServer)("a scheduler process", () => {
  beforeAll(async () => {
    nats = await startNatsServer();
    const config = { servers: [nats.url], credentials: undefined, replicas: 1, shards: 1 };
    const needs = { name: "test", log: silentLog };
    broker = await openBroker({ ...config, streams: "create" }, needs);
  });
  afterAll(async () => {
    over.abort();
    await broker.drain();
    await nats.stop();
  });

  test("that is killed hands over to a standby, which finds the worker that waits", async () => {
    const job = createJobId();
    const first = await startScheduler("s1");
    const standby = await startScheduler("s2");
    const [busy, idle] = ["w1", "w2"].map((name) => new LinkWorker(name, broker, over.signal));
    await broker.queue.add(buildTask(0, { job }));
    const before = await busy?.take();
    const taking = idle?.take();
    void busy?.beat();
    void idle?.beat();
    await expect.poll(() => knows("w2")).toBe(true);

    first.kill("SIGKILL");
    const killedAt = systemClock.monotonic();
    await broker.queue.add(buildTask(1, { job }));
    const after = await taking;
    const gapMs = Math.round(systemClock.monotonic() - killedAt);
    process.stderr.write(`  from the kill of a leader to the next grant: ${gapMs} ms\n`);

    expect(after).toMatchObject({ spec: { index: 1 }, attempt: 1 });
    expect((after?.fence ?? 0n) > (before?.fence ?? 0n)).toBe(true);
    standby.kill("SIGTERM");
    expect(await exitCode(standby)).toBe(0);
  });

  test("refuses to start without a broker's address", async () => {
    expect(await exitCode(startProcess({}))).toBe(2);
  });
});
