import { connect } from "node:http2";
import { join } from "node:path";
import {
  type ClientReadableStream,
  credentials,
  Metadata,
  makeGenericClientConstructor,
  type ServiceError,
  status,
} from "@grpc/grpc-js";
import { CreateJobRequest, JobServiceClient, OutcomeKind, taskIdOf } from "@zfarm/contract";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openTestFarm, type TestFarm } from "../test/test-farm.ts";
import { deadlineOf } from "./rpc/call-scope.ts";

const spec = { prompt: "a red house" };

describe("the server", () => {
  let farm: TestFarm;
  beforeEach(async () => {
    farm = await openTestFarm();
  });
  afterEach(async () => {
    await farm.stop();
  });

  test("says SERVING for each service, and is described by reflection", async () => {
    for (const name of ["", "zfarm.v1.JobService"]) {
      expect(await checkHealth(farm, name)).toEqual([0x08, 1]);
    }

    const described = await listServices(farm);

    expect(described).toContain("zfarm.v1.RenderService");
    expect(described).toContain("zfarm.v1.FleetService");
  });

  test("refuses metadata beyond its bound", async () => {
    const metadata = new Metadata();
    metadata.set("x-padding", "x".repeat(9_000));

    const error = await rawCall(farm, { method: "/zfarm.v1.JobService/GetJob", metadata });

    expect(error.code).toBe(status.RESOURCE_EXHAUSTED);
  });

  test("counts two million pictures without decoding them", async () => {
    const bytes = Buffer.alloc(4_000_000);
    for (let at = 0; at < bytes.length; at += 2) bytes[at] = 0x2a;

    const error = await rawCall(farm, { method: "/zfarm.v1.JobService/CreateJob", bytes });

    expect(error.code).toBe(status.INVALID_ARGUMENT);
    expect(error.details).toContain("images: holds 2000000 pictures");
  });

  test.each(["2147484S", "4294968S", "99999999H", "0m", "1n"])(
    "an absurd timeout of %s leaves no task behind",
    async (timeout) => {
      await rawTimeout(farm, timeout);

      const outcomesOfAll = async () => {
        const tasks = (await farm.queued()).flatMap(({ task }) => task.spec ?? []);
        const found = tasks.map((task) => farm.broker.outcomes.find(taskIdOf(task)));
        return (await Promise.all(found)).map((stored) => stored?.outcome.kind);
      };
      await expect
        .poll(async () => (await outcomesOfAll()).every((kind) => kind === OutcomeKind.CANCELED))
        .toBe(true);
    },
  );

  test("one line and one count per call, whatever became of it", async () => {
    await farm.client.createJob({ images: [spec] });
    await farm.client.createJob({ images: [] }).catch(() => undefined);

    const metrics = await farm.metrics();
    expect(metrics).toContain('zfarm_requests_total{method="CreateJob",code="OK"} 1');
    expect(metrics).toContain('zfarm_requests_total{method="CreateJob",code="INVALID_ARGUMENT"} 1');
    expect(metrics).toContain('zfarm_request_errors_total{reason="INVALID_REQUEST"} 1');
    const lines = farm.log.filter(({ method }) => method === "CreateJob");
    expect(lines).toMatchObject([{ code: "OK" }, { violations: ["images REQUIRED"] }]);
  });
});

describe("a stopping gateway", () => {
  test("lets a render finish, refuses what is new, and ends watches", async () => {
    const farm = await openTestFarm();
    const client = new JobServiceClient(farm.address, credentials.createInsecure());
    const rendering = farm.client.renderImage(spec);
    const [task] = await farm.take();
    const watchEnd = endOf(client.watchJob({ name: jobOf(task), resumeToken: "" }));
    await expect.poll(() => farm.metrics()).toContain("zfarm_watchers 1");

    const stopped = farm.stopGateway();
    expect((await watchEnd).code).toBe(status.UNAVAILABLE);
    const refused = await rawCall(farm, { method: "/zfarm.v1.JobService/GetJob" });
    if (task !== undefined) await farm.succeed(task);

    expect(refused.code).toBe(status.UNAVAILABLE);
    expect(refused.details).toContain("stopping");
    expect(await checkHealth(farm, "").catch(() => "gone")).not.toEqual([0x08, 1]);
    expect((await rendering).image?.sizeBytes).toBeGreaterThan(0n);
    await stopped;
    client.close();
    await farm.stop();
  });
});

describe("a stopping gateway that runs out of time", () => {
  test("cuts a render short without canceling it, so that a retry finds it", async () => {
    const farm = await openTestFarm({ drainMs: 50 });
    const rendering = farm.client.renderImage(spec, { requestId: "kept" });
    const [task] = await farm.take();

    await farm.stopGateway();
    await farm.startGateway(farm.port);
    expect(farm.log.find(({ reason }) => reason === "DRAINING")).toBeDefined();
    expect(await farm.queued()).toHaveLength(1);
    if (task !== undefined) await farm.succeed(task);

    expect((await rendering).task).toBe(`${jobOf(task)}/tasks/0`);
    await farm.stop();
  });
});

describe("deadlineOf", () => {
  const at = (deadline: Date | number) =>
    deadlineOf({ getDeadline: () => deadline }, 600_000, 1_000_000);

  test("takes the client's deadline within an hour, and the default where it has none", () => {
    expect(at(Infinity)).toBe(1_600_000);
    expect(at(1_000_500)).toBe(1_000_500);
    expect(at(new Date(1_000_500))).toBe(1_000_500);
    expect(at(2 ** 50)).toBe(4_600_000);
    expect(at(-5)).toBe(1_000_000);
    expect(at(Number.NaN)).toBe(1_600_000);
  });
});

const jobOf = (task: { project: string; job: string } | undefined) =>
  `projects/${task?.project}/jobs/${task?.job}`;

const Raw = makeGenericClientConstructor({}, "raw");
const identity = (bytes: Buffer): Buffer => bytes;

/** Sends bytes to a method and gives the error it ends with, or the answer's bytes. */
async function rawUnary(
  farm: TestFarm,
  call: { method: string; bytes?: Buffer; metadata?: Metadata },
): Promise<Buffer> {
  const client = new Raw(farm.address, credentials.createInsecure());
  const { method, bytes = Buffer.alloc(0), metadata = new Metadata() } = call;
  const done = Promise.withResolvers<Buffer>();
  client.makeUnaryRequest(
    method,
    identity,
    identity,
    bytes,
    metadata,
    (error: ServiceError | null, answer?: Buffer) =>
      error === null ? done.resolve(answer ?? Buffer.alloc(0)) : done.reject(error),
  );
  return await done.promise.finally(() => client.close());
}

async function rawCall(
  farm: TestFarm,
  call: { method: string; bytes?: Buffer; metadata?: Metadata },
): Promise<ServiceError> {
  return await rawUnary(farm, call).then(
    () => expect.fail("the call was accepted"),
    (error: ServiceError) => error,
  );
}

/** The bytes of HealthCheckResponse: field 1 is 1 for SERVING. */
async function checkHealth(farm: TestFarm, service: string): Promise<number[]> {
  const bytes = Buffer.concat([Buffer.from([0x0a, service.length]), Buffer.from(service)]);
  return [...(await rawUnary(farm, { method: "/grpc.health.v1.Health/Check", bytes }))];
}

async function listServices(farm: TestFarm): Promise<string> {
  const client = new Raw(farm.address, credentials.createInsecure());
  const method = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
  const call = client.makeBidiStreamRequest(method, identity, identity);
  // ServerReflectionRequest.list_services, field 7, with any text.
  call.write(Buffer.from([0x3a, 1, 0x2a]));
  call.end();
  const answers: Buffer[] = await Array.fromAsync<Buffer>(call);
  client.close();
  return Buffer.concat(answers).toString("latin1");
}

function endOf(stream: ClientReadableStream<unknown>): Promise<ServiceError> {
  stream.resume();
  return new Promise((resolve) => stream.on("error", resolve));
}

/** A create with a `grpc-timeout` that no client library would send. */
async function rawTimeout(farm: TestFarm, timeout: string): Promise<void> {
  const session = connect(`http://${farm.address}`);
  const body = CreateJobRequest.encode({
    parent: "",
    requestId: "",
    pool: "",
    displayName: "",
    images: [],
    validateOnly: false,
  }).finish();
  const stream = session.request({
    ":method": "POST",
    ":path": join("/zfarm.v1.RenderService", "RenderImage"),
    "content-type": "application/grpc",
    te: "trailers",
    "grpc-timeout": timeout,
  });
  const image = Buffer.from([0x22, 3, 0x0a, 1, 0x61]);
  const frame = Buffer.alloc(5);
  frame.writeUInt32BE(image.length + body.length, 1);
  stream.end(Buffer.concat([frame, image, body]));
  stream.resume();
  setTimeout(() => stream.close(8), 300);
  await new Promise((resolve) => stream.on("close", resolve));
  session.close();
}
