/** A server without room: what it refuses, what still works, and how long a client is told to wait. */
import { execFileSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import type { Broker } from "@zfarm/broker";
import { defaultPool, FarmError, limits, streams } from "@zfarm/contract";
import {
  findServerForTests,
  type NatsFarm,
  openNatsFarm,
  someJobRecord,
  someOutcome,
  someTask,
  someTaskId,
} from "@zfarm/testing";
import { afterEach, describe, expect, test } from "vitest";

const hasServer = (await findServerForTests()) !== undefined;
const bounds = { brokerRequestMs: 1_000 };
const prompt = "x".repeat(10_000);

/** Adds tasks until one is refused, and gives the refusal. */
async function fill({ queue }: Broker): Promise<FarmError> {
  for (let index = 0; index < 5_000; index += 1) {
    try {
      await queue.add(someTask({ index, prompt }));
    } catch (error) {
      return FarmError.from(error);
    }
  }
  return expect.fail("the server took everything");
}

const refusal = (promise: Promise<unknown>): Promise<FarmError | undefined> =>
  promise.then(() => undefined, FarmError.from);

describe.runIf(hasServer)("a nats-server without room", () => {
  let farm: NatsFarm;
  afterEach(() => farm.close());

  test("that is at its own bound refuses to store, and goes on reading and removing", async () => {
    farm = await openNatsFarm({ bounds }, { storeBytesMax: 2_000_000 });
    const broker = await farm.connect();

    const full = await fill(broker);

    const told = { code: "BROKER_UNAVAILABLE", retryAfterMs: limits.brokerTroubleRetryMs };
    expect(full).toMatchObject(told);
    expect(full.message).toContain("insufficient resources");
    for (const writing of [broker.outcomes.publish(someOutcome()), createJob(broker)]) {
      expect(await refusal(writing)).toMatchObject(told);
    }
    const first = await broker.queue.find(defaultPool, someTaskId(0));
    await broker.queue.remove(first?.revision ?? 0n);
    expect(await broker.queue.find(defaultPool, someTaskId(0))).toBeUndefined();
    expect(await broker.outcomes.publish(someOutcome())).toBe("won");
    expect(broker.problem()).toBeUndefined();
  });

  test.each<[string, string, (broker: Broker) => Promise<unknown>, object]>([
    [
      streams.queue,
      "is the clients' business",
      fill,
      { code: "QUEUE_FULL", message: "QUEUE is at its bound" },
    ],
    [
      streams.outcomes,
      "is an operator's",
      (broker) => broker.outcomes.publish(someOutcome()),
      { code: "BROKER_UNAVAILABLE", retryAfterMs: limits.brokerTroubleRetryMs },
    ],
    ["KV_jobs", "is too", createJob, { code: "BROKER_UNAVAILABLE" }],
  ])("a bound on the bytes of %s %s", async (name, _whose, write, expected) => {
    farm = await openNatsFarm({ bounds });
    const broker = await farm.connect();
    const connection = await connect({ servers: farm.server.url });
    const manager = await jetstreamManager(connection);
    await manager.streams.update(name, { max_bytes: name === streams.queue ? 100_000 : 20 });
    await connection.close();

    const refused = await write(broker).then(
      (answer) => answer,
      (error: unknown) => error,
    );

    expect(refused).toMatchObject(expected);
  });
});

const canMount = process.platform === "linux" && process.getuid?.() === 0;
if (!canMount) process.stderr.write("\n*** SKIPPED: a full disk, which takes root. ***\n\n");

describe.runIf(hasServer && canMount)("a nats-server on a full disk", () => {
  test("refuses in time and goes on reading; with room again it stores again", async () => {
    const disk = await mkdtemp(join(tmpdir(), "zfarm-disk-"));
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=8m", "tmpfs", disk]);
    const farm = await openNatsFarm({ bounds }, { storeParent: disk });
    try {
      const broker = await farm.connect();
      await broker.queue.add(someTask({ index: 9_999 }));
      const filler = join(disk, "filler");
      // The server has measured the disk before: its own bound is far away.
      await writeFile(filler, new Uint8Array(7_600_000));

      const full = await fill(broker);

      expect(full.code).toBe("BROKER_UNAVAILABLE");
      expect(await broker.queue.find(defaultPool, someTaskId(9_999))).toBeDefined();
      await rm(filler);
      await farm.server.restart();
      await expect.poll(() => broker.problem(), { timeout: 10_000 }).toBeUndefined();
      expect(await broker.outcomes.publish(someOutcome())).toBe("won");
      expect(await broker.queue.find(defaultPool, someTaskId(0))).toBeDefined();
    } finally {
      await farm.close();
      execFileSync("umount", [disk]);
      await rm(disk, { recursive: true });
    }
  });
});

async function createJob({ jobs }: Broker): Promise<unknown> {
  return await jobs.create(someJobRecord({ displayName: "x".repeat(100) }));
}
