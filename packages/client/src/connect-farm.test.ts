import {
  Metadata,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
  status,
} from "@grpc/grpc-js";
import {
  type CreateJobRequest,
  type CreateJobResponse,
  type ErrorCode,
  encodeStatusDetails,
  errorTable,
  FleetServiceService,
  JobServiceService,
  type RenderImageRequest,
  type RenderImageResponse,
  RenderServiceService,
  statusDetailsKey,
  type WatchJobRequest,
  type WatchJobResponse,
} from "@zfarm/contract";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { connectFarm } from "./connect-farm.ts";
import type { FarmClient } from "./farm-client.ts";

type Render = (request: RenderImageRequest, tries: number) => RenderImageResponse | undefined;
type Watch = (
  request: WatchJobRequest,
  call: ServerWritableStream<WatchJobRequest, WatchJobResponse>,
) => void;

/** A gateway that does what a test says; its wire is real. */
class ScriptedGateway {
  readonly server = new Server();
  readonly requestIds: string[] = [];
  readonly tokens: string[] = [];
  /** Undefined hangs. */
  render: Render = () => ({ task: "t" });
  watch: Watch = (_request, call) => call.end();
  /** Errors of the next creates; then they work. */
  createErrors: ErrorCode[] = [];
  address = "";

  async open(): Promise<void> {
    this.server.addService(RenderServiceService, {
      renderImage: (
        call: ServerUnaryCall<RenderImageRequest, RenderImageResponse>,
        done: sendUnaryData<RenderImageResponse>,
      ) => {
        this.requestIds.push(call.request.requestId);
        try {
          const answer = this.render(call.request, this.requestIds.length);
          if (answer !== undefined) done(null, answer);
        } catch (thrown) {
          done(failure(thrown as ErrorCode));
        }
      },
    });
    this.server.addService(JobServiceService, {
      createJob: (
        call: ServerUnaryCall<CreateJobRequest, CreateJobResponse>,
        done: sendUnaryData<CreateJobResponse>,
      ) => {
        this.requestIds.push(call.request.requestId);
        const code = this.createErrors.shift();
        if (code === undefined) done(null, { job: { ...emptyJob, name: call.request.requestId } });
        else done(failure(code));
      },
      watchJob: (call: ServerWritableStream<WatchJobRequest, WatchJobResponse>) => {
        this.tokens.push(call.request.resumeToken);
        this.watch(call.request, call);
      },
    });
    this.server.addService(FleetServiceService, {});
    const credentials = ServerCredentials.createInsecure();
    const port = await new Promise<number>((resolve) => {
      this.server.bindAsync("127.0.0.1:0", credentials, (_error, bound) => resolve(bound));
    });
    this.address = `127.0.0.1:${port}`;
  }
}

const emptyJob = { name: "", displayName: "", pool: "", state: 0, etag: "", retryOf: "" } as const;
const spec = { prompt: "a red house" };

function failure(code: ErrorCode) {
  const metadata = new Metadata();
  const bytes = encodeStatusDetails({
    status: errorTable[code].grpc,
    message: "as scripted",
    reason: code,
    violations: [{ field: "image.width", reason: "OUT_OF_RANGE", description: "is 1" }],
    retryAfterMs: errorTable[code].retry ? 10 : undefined,
  });
  metadata.set(statusDetailsKey, Buffer.from(bytes));
  return { code: errorTable[code].grpc, details: "as scripted", metadata };
}

const ended = (index: number): WatchJobResponse => ({
  resumeToken: `after-${index}`,
  event: {
    $case: "taskEnded",
    value: { name: `tasks/${index}`, state: 3, worker: "", attempt: 1 },
  },
});
const jobEnded: WatchJobResponse = {
  resumeToken: "",
  event: { $case: "jobEnded", value: { ...emptyJob } },
};

describe("connectFarm", () => {
  let gateway: ScriptedGateway;
  let client: FarmClient;
  beforeEach(async () => {
    gateway = new ScriptedGateway();
    await gateway.open();
    client = connectFarm({ address: gateway.address });
  });
  afterEach(() => {
    client.close();
    gateway.server.forceShutdown();
  });

  test("a create that met an unavailable farm is sent again under the same id", async () => {
    gateway.createErrors = ["BROKER_UNAVAILABLE", "DRAINING"];

    const job = await client.createJob({ images: [spec] });

    expect(gateway.requestIds).toHaveLength(3);
    expect(new Set(gateway.requestIds)).toEqual(new Set([job.name]));
    await client.createJob({ images: [spec] });
    expect(gateway.requestIds.at(-1)).not.toBe(job.name);
  });

  test.each<ErrorCode>(["INVALID_REQUEST", "QUEUE_FULL", "INTERNAL", "CONFLICT"])(
    "%s is not sent again, and comes with its details",
    async (code) => {
      gateway.createErrors = [code];

      const error = await client.createJob({ images: [spec] }).catch((thrown) => thrown);

      expect(error).toMatchObject({ code, message: "as scripted" });
      expect(error.violations).toMatchObject([{ field: "image.width", reason: "OUT_OF_RANGE" }]);
      expect(gateway.requestIds).toHaveLength(1);
    },
  );

  test("gives up after a bounded number of tries", async () => {
    gateway.createErrors = Array.from({ length: 100 }, () => "NO_LEADER" as const);

    const creating = client.createJob({ images: [spec], timeoutMs: 2_000 });

    await expect(creating).rejects.toMatchObject({ code: "NO_LEADER" });
    expect(gateway.requestIds.length).toBeGreaterThan(1);
    expect(gateway.requestIds.length).toBeLessThanOrEqual(10);
  });

  test("says that nobody answers at the address", async () => {
    gateway.server.forceShutdown();

    const reaching = client.getJob("projects/default/jobs/x", { timeoutMs: 300 });

    await expect(reaching).rejects.toMatchObject({ code: "FARM_UNREACHABLE" });
  });

  test("a render whose gateway was lost starts afresh when its task was canceled", async () => {
    gateway.render = (_request, tries) => {
      if (tries === 1) throw "DRAINING";
      if (tries === 2) throw "TASK_CANCELED";
      return { task: "done" };
    };

    expect((await client.renderImage(spec)).task).toBe("done");

    const [first, second, third] = gateway.requestIds;
    expect(second).toBe(first);
    expect(third).not.toBe(first);
  });

  test("a render that somebody canceled stays canceled", async () => {
    gateway.render = () => {
      throw "TASK_CANCELED";
    };

    await expect(client.renderImage(spec)).rejects.toMatchObject({ code: "TASK_CANCELED" });
    expect(gateway.requestIds).toHaveLength(1);
  });

  test("an aborted call rejects with the signal's reason", async () => {
    gateway.render = () => undefined;
    const caller = new AbortController();
    const rendering = client.renderImage(spec, { signal: caller.signal });
    await expect.poll(() => gateway.requestIds.length).toBe(1);

    caller.abort(new RangeError("enough"));

    await expect(rendering).rejects.toThrow("enough");
    const late = client.renderImage(spec, { signal: caller.signal });
    await expect(late).rejects.toThrow("enough");
    expect(gateway.requestIds).toHaveLength(1);
  });

  test("a watch that breaks goes on after the last token, without a gap or a repeat", async () => {
    gateway.watch = ({ resumeToken }, call) => {
      const next = resumeToken === "" ? 0 : Number(resumeToken.slice("after-".length)) + 1;
      call.write(next < 4 ? ended(next) : jobEnded);
      if (next < 4) call.emit("error", { code: status.UNAVAILABLE, details: "gone" });
      else call.end();
    };

    const events = await Array.fromAsync(client.watchJob("projects/default/jobs/x"));

    expect(gateway.tokens).toEqual(["", "after-0", "after-1", "after-2", "after-3"]);
    expect(events.map(({ resumeToken }) => resumeToken)).toEqual([
      "after-0",
      "after-1",
      "after-2",
      "after-3",
      "",
    ]);
  });

  test("events that come in one answer are told one by one, each with its token", async () => {
    gateway.watch = ({ resumeToken, takeSeveral }, call) => {
      expect(takeSeveral).toBe(true);
      if (resumeToken === "") {
        call.write({ ...ended(0), more: { events: [ended(1), ended(2)] } });
        call.emit("error", { code: status.UNAVAILABLE, details: "gone" });
        return;
      }
      call.write(jobEnded);
      call.end();
    };

    const events = await Array.fromAsync(client.watchJob("projects/default/jobs/x"));

    expect(gateway.tokens).toEqual(["", "after-2"]);
    const tokens = events.map(({ resumeToken }) => resumeToken);
    expect(tokens).toEqual(["after-0", "after-1", "after-2", ""]);
    expect(events.every(({ more }) => more === undefined)).toBe(true);
  });

  test("a connection that breaks after the job ended ends the watch quietly", async () => {
    gateway.watch = (_request, call) => {
      call.write(jobEnded);
      call.emit("error", { code: status.UNAVAILABLE, details: "gone" });
    };

    expect(await Array.fromAsync(client.watchJob("projects/default/jobs/x"))).toHaveLength(1);
    expect(gateway.tokens).toHaveLength(1);
  });

  test("leaving the loop ends the watch at the farm", async () => {
    const left = Promise.withResolvers<void>();
    gateway.watch = (_request, call) => {
      call.on("cancelled", () => left.resolve());
      call.write(ended(0));
    };

    for await (const _event of client.watchJob("projects/default/jobs/x")) break;

    await left.promise;
  });
});
