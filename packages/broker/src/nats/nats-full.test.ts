/** A server without room: what it refuses, what still works, and when a client may come again. */
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
  promise.then(
    () => undefined,
    (error: unknown) => FarmError.from(error),
  );

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
    const writings = [broker.outcomes.publish(someOutcome()), createJob(broker)];
    expect(await Promise.all(writings.map(refusal))).toMatchObject([told, told]);
    const first = await broker.queue.find(defaultPool, someTaskId(0));
    await broker.queue.remove(first?.revision ?? 0n);
    expect(await broker.queue.find(defaultPool, someTaskId(0))).toBeUndefined();
    expect(await broker.outcomes.publish(someOutcome())).toBe("won");
    expect(broker.problem()).toBeUndefined();
  });

  test.each<{
    readonly name: string;
    readonly bytes: number;
    readonly write: (broker: Broker) => Promise<unknown>;
    readonly code: string;
  }>([
    { name: streams.queue, bytes: 100_000, write: fill, code: "QUEUE_FULL" },
    { name: streams.outcomes, bytes: 20, write: publish, code: "BROKER_UNAVAILABLE" },
    { name: "KV_jobs", bytes: 20, write: createJob, code: "BROKER_UNAVAILABLE" },
  ])("a bound on the bytes of $name makes writes $code", async ({ name, bytes, write, code }) => {
    farm = await openNatsFarm({ bounds });
    const broker = await farm.connect();
    const connection = await connect({ servers: farm.server.url });
    const manager = await jetstreamManager(connection);
    await manager.streams.update(name, { max_bytes: bytes });
    await connection.close();

    const refused = await write(broker).then(
      (answer) => answer,
      (error: unknown) => error,
    );

    expect(refused).toMatchObject({ code });
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
      await expect.poll(() => broker.problem()).toBeUndefined();
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

async function publish({ outcomes }: Broker): Promise<unknown> {
  return await outcomes.publish(someOutcome());
}
