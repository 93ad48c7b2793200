/** What clients see of a real nats-server that is full, silent or has lost a stream. */
import { tmpdir } from "node:os";
import { join } from "node:path";
import { credentials, type ServiceError, status } from "@grpc/grpc-js";
import { createMemoryBlobStore } from "@zfarm/blobs";
import type { Broker, NatsBrokerOptions } from "@zfarm/broker";
import {
  type CreateJobRequest,
  type CreateJobResponse,
  decodeStatusDetails,
  defaultProject,
  JobServiceClient,
  jobIdOfRequest,
  jobName,
  limits,
  type StatusDetails,
  statusDetailsKey,
} from "@zfarm/contract";
import { type RunningApp, silentLog, startApp } from "@zfarm/runtime";
import {
  FollowReader,
  findServerForTests,
  type NatsFarm,
  type NatsServerOptions,
  never,
  openNatsFarm,
} from "@zfarm/testing";
import { afterEach, describe, expect, test } from "vitest";
import { testPool } from "../test/test-farm.ts";
import { wireGateway } from "./wire-gateway.ts";

const hasServer = (await findServerForTests()) !== undefined;
const bounds = { brokerRequestMs: 1_000 };

describe.runIf(hasServer)("a gateway whose broker", () => {
  let farm: NatsFarm;
  let broker: Broker;
  let gateway: RunningApp;
  let client: JobServiceClient;

  afterEach(async () => {
    client.close();
    await gateway.stop();
    await farm.close();
  });

  async function open(
    options: Partial<NatsBrokerOptions> = {},
    server: NatsServerOptions = {},
  ): Promise<void> {
    farm = await openNatsFarm({ bounds, ...options }, server);
    broker = await farm.connect();
    await broker.pools.put(testPool);
    const config = {
      host: "127.0.0.1",
      port: 0,
      reflection: false,
      drainMs: 100,
      durability: "stream",
      uploadDir: join(tmpdir(), "zfarm-broker-faults"),
    } as const;
    const own = await farm.connect();
    const wired = Promise.withResolvers<number>();
    gateway = startApp({
      name: "gateway",
      log: silentLog,
      wire: async (app) => {
        const needs = { broker: own, blobs: createMemoryBlobStore() };
        wired.resolve((await wireGateway(app, config, needs)).port);
      },
    });
    const address = `127.0.0.1:${await wired.promise}`;
    client = new JobServiceClient(address, credentials.createInsecure());
  }

  const request = (count: number, requestId: string, prompt = "a red house"): CreateJobRequest => ({
    parent: "",
    requestId,
    pool: "",
    displayName: "",
    images: Array.from({ length: count }, () => ({
      prompt,
      width: 256,
      height: 256,
      steps: 8,
      loras: [],
    })),
    validateOnly: false,
  });

  function create(sent: CreateJobRequest): Promise<CreateJobResponse | StatusDetails> {
    return new Promise((resolve, reject) => {
      client.createJob(sent, (error: ServiceError | null, answer) => {
        if (error === null) return resolve(answer);
        const [bytes] = error.metadata.get(statusDetailsKey);
        const details = bytes instanceof Buffer ? decodeStatusDetails(bytes) : undefined;
        return details === undefined ? reject(error) : resolve(details);
      });
    });
  }

  const live = async () => await new FollowReader(broker.queue.follow(never)).untilCaughtUp();

  test("has a full queue tells when there is room, and keeps nothing", async () => {
    await open({ bounds: { ...bounds, queueTasksMax: 3, bundleTasksMax: 1 } });

    const refused = await create(request(4, "r1"));

    expect(refused).toMatchObject({
      status: status.RESOURCE_EXHAUSTED,
      reason: "QUEUE_FULL",
      retryAfterMs: limits.queueFullRetryMs,
    });
    const job = { project: defaultProject, job: jobIdOfRequest(defaultProject, "r1") };
    expect(await broker.outcomes.list(job)).toHaveLength(4);
    for (const { revision } of await live()) await broker.queue.remove(revision);
    expect(await create(request(3, "r2"))).toMatchObject({ job: { counts: { total: 3 } } });
  });

  test("has no room to store is unavailable for 5 s, and what it has is read", async () => {
    await open({}, { storeBytesMax: 2_000_000 });
    const prompt = "xy ".repeat(600);
    const first = (await create(request(1, "r0"))) as CreateJobResponse;

    let answer = await create(request(100, "r1", prompt));
    for (let count = 2; "job" in answer; count += 1) {
      answer = await create(request(100, `r${count}`, prompt));
    }

    expect(answer).toMatchObject({
      status: status.UNAVAILABLE,
      reason: "BROKER_UNAVAILABLE",
      retryAfterMs: limits.brokerTroubleRetryMs,
    });
    const found = await new Promise((resolve) => {
      client.getJob({ name: first.job?.name ?? "" }, (_error, job) => resolve(job));
    });
    expect(found).toMatchObject({ job: { name: first.job?.name } });
  });

  test("falls silent: a retry with the same request_id makes one job", async () => {
    await open();
    await farm.server.freeze();

    const silent = await create(request(5, "r1"));

    expect(silent).toMatchObject({ status: status.UNAVAILABLE, reason: "BROKER_UNAVAILABLE" });
    farm.server.thaw();
    await expect
      .poll(() => create(request(5, "r1")), { timeout: 60_000 })
      .toMatchObject({
        job: {
          name: jobName({ project: defaultProject, job: jobIdOfRequest(defaultProject, "r1") }),
          counts: { total: 5 },
        },
      });
    expect(await live()).toHaveLength(5);
  });

  test("falls silent in the middle of a create says what to do", async () => {
    await open({ bounds: { ...bounds, bundleTasksMax: 1 } });
    await create(request(1, "before"));
    const sent = create(request(1_000, "r1"));
    const follow = new FollowReader(broker.queue.follow(never));
    await follow.take(3);
    await farm.server.freeze();

    const silent = await sent;

    expect(silent).toMatchObject({ status: status.UNAVAILABLE, reason: "BROKER_UNAVAILABLE" });
    expect((silent as StatusDetails).message).toContain("retry it with the same request_id");
    farm.server.thaw();
    await expect
      .poll(() => create(request(1_000, "r1")), { timeout: 60_000 })
      .toMatchObject({ job: { counts: { total: 1_000 } } });
    expect(await live()).toHaveLength(1_001);
  });

  test("has JetStream off is not ready until it is on again", async () => {
    await open();
    await farm.server.restart({ withoutJetStream: true });

    await expect.poll(() => gateway.problems()).not.toEqual([]);
    expect(await create(request(1, "r1"))).toMatchObject({ status: status.UNAVAILABLE });

    await farm.server.restart();
    await expect.poll(() => gateway.problems()).toEqual([]);
    expect(await create(request(1, "r1"))).toMatchObject({ job: {} });
  });

  test.each(["QUEUE", "OUTCOMES", "KV_jobs", "KV_leader"])(
    "has lost %s is not ready, and ends so that a new start can find it",
    async (lost) => {
      await open({ bounds: { ...bounds, brokerCheckMs: limits.brokerCheckMs } });

      await farm.deleteStream(lost);

      await expect.poll(() => gateway.problems()).not.toEqual([]);
      expect(await gateway.done).toBe(1);
    },
  );

  test("has lost the queue is unavailable to who asks in that moment", async () => {
    await open({ bounds: { ...bounds, brokerCheckMs: 60_000 } });
    await farm.deleteStream("QUEUE");

    const refused = await create(request(1, "r1"));

    expect(refused).toMatchObject({ status: status.UNAVAILABLE, reason: "STATE_LOST" });
    expect((refused as StatusDetails).retryAfterMs).toBeDefined();
  });
});
