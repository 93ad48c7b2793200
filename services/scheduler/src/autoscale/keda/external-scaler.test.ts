import { ChannelCredentials, type ClientReadableStream, status } from "@grpc/grpc-js";
import { FarmError, limits, type PoolId, ScalingReply, type SchedulerReply } from "@zfarm/contract";
import { silentLog, systemClock } from "@zfarm/runtime";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  ExternalScalerClient,
  type GetMetricSpecResponse,
  type GetMetricsResponse,
  type IsActiveResponse,
  type ScaledObjectRef,
} from "../../gen/externalscaler.ts";
import { type KedaServer, openKedaServer } from "./open-keda.ts";

const insecure = ChannelCredentials.createInsecure();
/** Clients of one address share a connection unless told otherwise. */
const ownConnection = { "grpc.use_local_subchannel_pool": 1 };

const ref = (pool?: string): ScaledObjectRef => ({
  name: "worker",
  namespace: "farm",
  scalerMetadata: new Map(pool === undefined ? [] : [["pool", pool]]),
});

type Answered<Response> = (error: unknown, response: Response) => void;

function answered<Response>(call: (callback: Answered<Response>) => unknown): Promise<Response> {
  return new Promise((resolve, reject) => {
    call((error, response) => (error === null ? resolve(response) : reject(error)));
  });
}

describe("the scaler that KEDA asks", () => {
  let server: KedaServer;
  let client: ExternalScalerClient;
  /** What the leader asked its hands for; undefined before its first decision. */
  let asked: number | undefined;
  let questions = 0;

  const answer = async (): Promise<SchedulerReply> => {
    questions += 1;
    const decision = { pool: "default", desired: 9, target: 9, reason: "backlog", bounds: [] };
    const pools = [{ ...decision, decideTime: undefined, inputs: undefined, retiring: 0 }];
    const value = ScalingReply.decode(
      ScalingReply.encode({
        actuator: "keda",
        pools: pools.map((pool) => ({ ...pool, result: "applied", askedFor: asked })),
      }).finish(),
    );
    return { epoch: 1n, reply: { $case: "scaling", value } };
  };

  beforeEach(async () => {
    asked = 3;
    questions = 0;
    server = await openKedaServer({
      config: { host: "127.0.0.1", port: 0 },
      pools: new Set(["default" as PoolId]),
      queries: { ask: () => answer() },
      clock: systemClock,
      log: silentLog,
    });
    const address = `127.0.0.1:${server.port}`;
    client = new ExternalScalerClient(address, insecure);
  });

  afterEach(async () => {
    client.close();
    await server.stop();
  });

  const isActive = (pool?: string) =>
    answered<IsActiveResponse>((done) => client.isActive(ref(pool), done));
  const getMetricSpec = () =>
    answered<GetMetricSpecResponse>((done) => client.getMetricSpec(ref("default"), done));
  const getMetrics = (pool?: string) => {
    const request = { scaledObjectRef: ref(pool), metricName: "zfarm-workers" };
    return answered<GetMetricsResponse>((done) => client.getMetrics(request, done));
  };

  test("tells the number that the hands were asked for, of which a replica is one", async () => {
    const { metricSpecs } = await getMetricSpec();
    const { metricValues } = await getMetrics("default");

    expect(metricSpecs).toEqual([
      { metricName: "zfarm-workers", targetSize: 1n, targetSizeFloat: 1 },
    ]);
    expect(metricValues).toEqual([
      { metricName: "zfarm-workers", metricValue: 3n, metricValueFloat: 3 },
    ]);
    expect(await isActive("default")).toEqual({ result: true });
  });

  test("is not active for a pool that should have no worker", async () => {
    asked = 0;

    expect(await isActive("default")).toEqual({ result: false });
    expect((await getMetrics("default")).metricValues[0]?.metricValueFloat).toBe(0);
  });

  test("asks the leader once, however often KEDA asks", async () => {
    await Promise.all(Array.from({ length: 20 }, () => isActive("default")));

    expect(questions).toBe(1);
  });

  test("names the pool that it does not have, and those it has", async () => {
    await expect(isActive("fast")).rejects.toMatchObject({
      code: status.NOT_FOUND,
      details: 'the autoscaler has no pool "fast"; it has default',
    });
  });

  test("names the field that a trigger lacks", async () => {
    await expect(getMetrics()).rejects.toMatchObject({
      code: status.INVALID_ARGUMENT,
      details: "the trigger's metadata has no pool",
    });
  });

  test("makes no number up before the first decision", async () => {
    asked = undefined;

    await expect(getMetrics("default")).rejects.toMatchObject({ code: status.UNAVAILABLE });
    await expect(getMetricSpec()).rejects.toMatchObject({ code: status.UNAVAILABLE });
  });

  test("tells at once that a worker is wanted, and when that changes", async () => {
    asked = 0;
    const stream = client.streamIsActive(ref("default"));
    const told = readStream(stream);

    expect(await told.next()).toBe(false);
    asked = 2;
    expect(await told.next()).toBe(true);
    stream.cancel();
  });

  test("keeps a stream while nobody can say, and goes on when somebody can", async () => {
    asked = undefined;
    const stream = client.streamIsActive(ref("default"));
    const told = readStream(stream);

    const first = told.next();
    await expect.poll(() => questions).toBe(1);
    asked = 2;

    expect(await first).toBe(true);
    stream.cancel();
  });

  test("ends a stream with the reason where that will not change", async () => {
    const told = readStream(client.streamIsActive(ref("fast")));

    await expect(told.next()).rejects.toMatchObject({ code: status.NOT_FOUND });
  });

  test("refuses a stream beyond its bound, and takes one when another has ended", async () => {
    // Of several connections: each alone has a bound of the same size.
    const other = new ExternalScalerClient(`127.0.0.1:${server.port}`, insecure, ownConnection);
    const max = limits.kedaStreamsMax;
    const streams = Array.from({ length: max }, (_, index) =>
      (index % 2 === 0 ? client : other).streamIsActive(ref("default")),
    );
    const told = streams.map(readStream);
    for (const one of told) expect(await one.next()).toBe(true);

    const beyond = readStream(client.streamIsActive(ref("default")));
    await expect(beyond.next()).rejects.toMatchObject({
      code: status.RESOURCE_EXHAUSTED,
      details: `${max} streams are open, and at most ${max} may be`,
    });

    streams[0]?.cancel();
    const again = async () => readStream(client.streamIsActive(ref("default"))).next();
    await expect.poll(() => again().catch(() => undefined)).toBe(true);
    other.close();
  });

  test("stops although streams are open", async () => {
    const stream = client.streamIsActive(ref("default"));
    const told = readStream(stream);
    await told.next();

    await server.stop();

    await expect(told.next()).resolves.toBeUndefined();
  });

  test("says so where its port is taken", async () => {
    const again = openKedaServer({
      config: { host: "127.0.0.1", port: server.port },
      pools: new Set(),
      queries: { ask: () => answer() },
      clock: systemClock,
      log: silentLog,
    });

    await expect(again).rejects.toThrow(FarmError);
    await expect(again).rejects.toThrow(/AUTOSCALER_KEDA_PORT: .*EADDRINUSE/);
  });
});

/** What a stream tells, one by one; undefined after its end. */
function readStream(stream: ClientReadableStream<IsActiveResponse>) {
  const messages = stream[Symbol.asyncIterator]();
  return {
    next: async (): Promise<boolean | undefined> => {
      const { value } = (await messages.next()) as { value: IsActiveResponse | undefined };
      return value?.result;
    },
  };
}
