/**
 * Every bad request gets the right code, names the right field and bound, repeats nothing of what
 * the client wrote, creates nothing, and leaves the gateway serving.
 */
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type Client,
  credentials,
  Metadata,
  makeGenericClientConstructor,
  type ServiceError,
  status,
} from "@grpc/grpc-js";
import { createMemoryBlobStore } from "@zfarm/blobs";
import { type Broker, createMemoryBroker } from "@zfarm/broker";
import { connectFarm } from "@zfarm/client";
import {
  CreateJobResponse,
  decodeStatusDetails,
  defaultPool,
  parseJobName,
  type SchedulerReply,
  statusDetailsKey,
} from "@zfarm/contract";
import { violationReasons, wireGateway } from "@zfarm/gateway";
import { type RunningApp, silentLog, startApp } from "@zfarm/runtime";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loraRows } from "./lora-rows.ts";
import { nameRows } from "./name-rows.ts";
import { numberRows } from "./number-rows.ts";
import { operatorRows } from "./operator-rows.ts";
import { passRows } from "./pass-rows.ts";
import { type BadRequest, createBytes, image, methods, secret } from "./row.ts";
import { schedulingRows } from "./scheduling-rows.ts";
import { textRows } from "./text-rows.ts";
import { wireRows } from "./wire-rows.ts";

const corpus: readonly BadRequest[] = [
  ...textRows,
  ...numberRows,
  ...nameRows,
  ...schedulingRows,
  ...operatorRows,
  ...wireRows,
  ...loraRows,
];

/** Refusals that no request on its own can provoke; the gateway's own tests show them. */
const neededState = new Set(["DIGEST_MISMATCH"]);

const RawClient = makeGenericClientConstructor({}, "raw");
const identity = (bytes: Buffer): Buffer => bytes;

let broker: Broker;
let gateway: RunningApp;
let address: string;
let client: Client;
let jobsCreated = 0;

beforeAll(async () => {
  broker = createMemoryBroker();
  broker.queries.serve(({ query }) => ({ epoch: 1n, reply: emptyFleet(query?.$case) }));
  await broker.pools.put({
    pool: defaultPool,
    model: "test",
    modelDigest: "digest",
    sizeMultiple: 16,
    pixelsMax: 1_024 * 1_024,
    stepsDefault: 8,
    widthDefault: 480,
    heightDefault: 480,
    rankBudget: 64,
    loraArchitecture: { dim: 32, layers: 2, refinerLayers: 1, ffnDim: 85, modulationDim: 32 },
  });
  const config = {
    host: "127.0.0.1",
    port: 0,
    reflection: false,
    drainMs: 1_000,
    durability: "stream",
    uploadDir: join(tmpdir(), "zfarm-bad-requests"),
  } as const;
  gateway = startApp({
    name: "gateway",
    log: silentLog,
    wire: async (app) => {
      const needs = { broker: countJobs(broker), blobs: createMemoryBlobStore() };
      address = `127.0.0.1:${(await wireGateway(app, config, needs)).port}`;
    },
  });
  await gateway.ready;
  client = new RawClient(address, credentials.createInsecure());
});

afterAll(async () => {
  client.close();
  await gateway.stop();
  await broker.drain();
});

describe("a bad request", () => {
  test.each(corpus)("$name", async (row) => {
    const before = jobsCreated;

    const error = await refusalOf(row);

    expect(status[error.code]).toBe(row.code);
    const [bytes] = error.metadata.get(statusDetailsKey);
    const details = bytes instanceof Buffer ? decodeStatusDetails(bytes) : undefined;
    expect(details?.reason).toBe(row.reason);
    const violations = details?.violations.map(({ field, reason }) => `${field} ${reason}`) ?? [];
    expect(violations).toEqual(row.violations ?? []);
    const told = JSON.stringify([error.details, details]);
    expect(told).toContain(row.tells ?? "");
    expect(told).not.toContain(secret);
    expect(jobsCreated).toBe(before);
    expect(await queueLength()).toBe(0);
    expect(await healthStatus()).toBe(1);
  });
});

describe("an unusual request", () => {
  test.each(passRows)("$name is accepted and stored byte for byte", async ({ prompt }) => {
    const farm = connectFarm({ address });
    const before = jobsCreated;

    const job = await farm.createJob({ images: [image({ prompt })] });

    const ref = parseJobName(job.name);
    const stored = ref && (await broker.queue.find(defaultPool, { ...ref, index: 0 }));
    const kept = Buffer.from(stored?.task.spec?.image?.prompt ?? "");
    expect(kept.equals(Buffer.from(prompt))).toBe(true);
    expect(jobsCreated).toBe(before + 1);
    await farm.cancelJob(job.name);
    if (stored !== undefined) await broker.queue.remove(stored.revision);
    farm.close();
  });

  test("a seed beyond what a double holds comes back exactly", async () => {
    const seeds = [2n ** 53n + 1n, 2n ** 64n - 1n, 0n];
    const bytes = createBytes({ images: seeds.map((seed) => image({ seed })) });

    const job = CreateJobResponse.decode(await send(methods.create, bytes)).job;

    const ref = parseJobName(job?.name ?? "");
    const stored = seeds.map(async (_, index) => {
      const found = ref && (await broker.queue.find(defaultPool, { ...ref, index }));
      return found?.task.spec?.image?.seed;
    });
    expect(await Promise.all(stored)).toEqual(seeds);
  });
});

describe("the corpus", () => {
  test("has its size, and no two rows of one name", () => {
    const tables = [textRows, numberRows, nameRows, schedulingRows, wireRows, loraRows];
    expect(tables.map(({ length }) => length)).toEqual([41, 45, 61, 70, 31, 114]);
    expect(passRows.length).toBeGreaterThanOrEqual(20);
    expect(new Set(corpus.map(({ name }) => name)).size).toBe(corpus.length);
  });

  test("provokes every refusal there is, and no other", () => {
    const provoked = corpus.flatMap(({ violations = [] }) =>
      violations.map((violation) => violation.split(" ").at(-1) ?? ""),
    );
    const expected = violationReasons.filter((reason) => !neededState.has(reason));
    expect([...new Set(provoked)].toSorted()).toEqual(expected.toSorted());
  });
});

/** What the leader of a farm without workers says of them. */
function emptyFleet(question: string | undefined): SchedulerReply["reply"] {
  if (question === "listWorkers") return { $case: "listWorkers", value: { workers: [] } };
  return { $case: "worker", value: { tasks: [], adapters: [] } };
}

/** The same broker, but for a count of the job records that are asked for. */
function countJobs(plain: Broker): Broker {
  const { jobs } = plain;
  return {
    ...plain,
    jobs: {
      create: (record) => {
        jobsCreated += 1;
        return jobs.create(record);
      },
      find: (ref) => jobs.find(ref),
      update: (record, revision) => jobs.update(record, revision),
    },
  };
}

async function queueLength(): Promise<number> {
  const stop = new AbortController();
  let length = 0;
  for await (const followed of broker.queue.follow(stop.signal)) {
    if (followed.kind === "caught-up") break;
    length += followed.entries.length;
  }
  stop.abort();
  return length;
}

async function refusalOf(row: BadRequest): Promise<ServiceError> {
  return await send(row.method, row.bytes, row.metadata).then(
    () => expect.fail("the request was accepted"),
    (error: ServiceError) => error,
  );
}

/** A unary call reads the first message of a stream just as well, and every refusal is the end. */
async function send(
  method: string,
  bytes: Uint8Array,
  headers: Readonly<Record<string, string>> = {},
): Promise<Buffer> {
  const metadata = new Metadata();
  for (const [key, value] of Object.entries(headers)) metadata.set(key, value);
  const done = Promise.withResolvers<Buffer>();
  client.makeUnaryRequest(
    method,
    identity,
    identity,
    Buffer.from(bytes),
    metadata,
    (error, answer) =>
      error === null ? done.resolve(answer ?? Buffer.alloc(0)) : done.reject(error),
  );
  return await done.promise;
}

async function healthStatus(): Promise<number | undefined> {
  return (await send("/grpc.health.v1.Health/Check", new Uint8Array()))[1];
}
