/** The real process on a real nats-server. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { type Broker, openBroker } from "@zfarm/broker";
import { createJobId, defaultPool, FarmError, type Lease, OutcomeKind } from "@zfarm/contract";
import { backoffMs, silentLog, systemClock } from "@zfarm/runtime";
import { findServerForTests, type NatsServer, startNatsServer } from "@zfarm/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildTask, outcomeOf } from "../testing/drive-core.ts";

const hasServer = (await findServerForTests()) !== undefined;
const forever = new AbortController().signal;
let nats: NatsServer;
let broker: Broker;

function startProcess(env: Record<string, string>): ChildProcess {
  const entry = new URL("./main.ts", import.meta.url).pathname;
  return spawn(process.execPath, [entry], {
    env: { LOG_LEVEL: "silent", ...env },
    stdio: "ignore",
  });
}

async function exitCode(child: ChildProcess): Promise<unknown> {
  if (child.exitCode !== null) return child.exitCode;
  const [code] = await once(child, "exit");
  return code;
}

/** Asks again and again while nobody leads, as workers do. */
async function takeOne(worker: string): Promise<Lease> {
  for (let attempt = 1; attempt < 100; attempt += 1) {
    const request = { worker, pool: defaultPool, epochSeen: 0n, slotsFree: 1, running: [] };
    try {
      const [lease] = (await broker.link.ask(request, forever)).leases;
      if (lease !== undefined) return lease;
    } catch (error) {
      expect(FarmError.from(error).code).toBe("NO_LEADER");
      await systemClock.sleep(backoffMs(attempt, { maxMs: 500 }), forever);
    }
  }
  return expect.fail("nothing was granted");
}

describe.skipIf(!hasServer)("a scheduler process", () => {
  beforeAll(async () => {
    nats = await startNatsServer();
    const config = { servers: [nats.url], credentials: undefined, replicas: 1 };
    const needs = { name: "test", log: silentLog };
    broker = await openBroker({ ...config, streams: "create" }, needs);
  }, 60_000);
  afterAll(async () => {
    await broker.drain();
    await nats.stop();
  });

  test("grants, hands over to a standby when it is killed, and stops when asked", async () => {
    const job = createJobId();
    const first = startProcess({ NATS_URL: nats.url, SCHEDULER_ID: "s1" });
    await broker.queue.add(buildTask(0, { job }));
    await broker.queue.add(buildTask(1, { job }));
    const before = await takeOne("w1");
    const standby = startProcess({ NATS_URL: nats.url, SCHEDULER_ID: "s2" });

    first.kill("SIGKILL");
    await exitCode(first);
    const after = await takeOne("w2");
    if (after.spec) await broker.outcomes.publish(outcomeOf(after.spec, OutcomeKind.CANCELED));

    expect(after.fence > before.fence).toBe(true);
    expect(after.attempt).toBe(1);
    standby.kill("SIGTERM");
    expect(await exitCode(standby)).toBe(0);
  }, 60_000);

  test("refuses to start without a broker's address", async () => {
    expect(await exitCode(startProcess({}))).toBe(2);
  });
});
