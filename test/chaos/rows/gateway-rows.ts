/** G: what happens to gateways, and what clients do to them. */
import { readFile } from "node:fs/promises";
import { connect as connectHttp2, constants } from "node:http2";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { credentials } from "@grpc/grpc-js";
import {
  defaultProject,
  FarmError,
  JobServiceClient,
  jobName,
  limits,
  type WatchJobResponse,
} from "@zfarm/contract";
import type { ManagedProcess } from "../farm/managed-process.ts";
import { metricOf } from "../farm/probe.ts";
import { RecordingClient } from "../history/recording-client.ts";
import type { Ground, Row, RowGroup } from "./row.ts";
import type { RowContext } from "./row-context.ts";

const bufferMax = 64 * 2 ** 20;
const attackersEach = 40;
const resets = 4_000;

const killedUnderWatch: Row = {
  id: "G1",
  promise: "gateways killed under their watchers: each hears every end once, in order",
  run: async (context) => {
    const jobs = [];
    for (let count = 0; count < 3; count += 1) jobs.push(await context.submit({ count: 12 }));
    const watching = jobs.map(({ job }) => context.clients.watch(job));
    for (const gateway of context.farm.gateways) {
      await context.wait(1_500);
      context.farm.fault("kill-gateway", gateway.name);
      await gateway.kill();
    }
    await Promise.all([...watching, ...jobs.map(({ ended }) => ended)]);
  },
};

const killedBeforeReply: Row = {
  id: "G2",
  promise: "killed between storing a job and saying so: the retry names the same job",
  run: async (context) => {
    const endings = [];
    for (let round = 0; round < 3; round += 1) {
      const { job, request } = context.prepare({ count: 4 });
      const first = context.clients.submitOnce(job, request);
      await context.wait(context.random.between(2, 30));
      for (const gateway of context.farm.gateways) {
        context.farm.fault("kill-gateway", gateway.name);
        await gateway.kill();
      }
      await first;
      context.check(await context.clients.submit(job, request), "the retry is accepted");
      endings.push(context.clients.watch(job));
      await Promise.all(context.farm.gateways.map((gateway) => gateway.ready()));
    }
    await Promise.all(endings);
  },
};

const clientLeaves: Row = {
  id: "G3",
  promise: "the client leaves in the middle of a submit: all of the job exists, or none of it",
  run: async (context) => {
    const { history } = context.farm;
    for (let round = 0; round < 10; round += 1) {
      const { job, request } = context.prepare({ count: 6 });
      const signal = AbortSignal.timeout(context.random.between(1, 25));
      const code = await context.client.createJob({ ...request, signal }).then(
        () => "TOO_LATE",
        (thrown: unknown) => FarmError.from(thrown).code,
      );
      history.entries.push({ atMs: history.now(), kind: "submit-unknown", job, code });
      // Every second one is settled by its request id, the others are left as they are.
      if (round % 2 === 1) continue;
      context.check(await context.clients.submit(job, request), "the retry is accepted");
      await context.clients.watch(job);
    }
    await context.wait(3_000);
  },
};

const watchersLeave: Row = {
  id: "G4",
  promise: "watchers that leave: forgotten within a second, and the job does not notice",
  run: async (context) => {
    const { job, ended } = await context.submit({ count: 20 });
    const leaving = new AbortController();
    const name = jobName({ project: defaultProject, job });
    const watching = Array.from({ length: 30 }, async () => {
      const watch = context.client.watchJob(name, { signal: leaving.signal });
      await Array.fromAsync(watch).catch(() => undefined);
    });
    const countWatchers = async (): Promise<number> => {
      const counts = context.farm.gateways.map((each) => metricOf(each, "zfarm_watchers"));
      return (await Promise.all(counts)).reduce<number>((sum, each) => sum + (each ?? 0), 0);
    };
    await context.until("all watch", 5_000, async () => (await countWatchers()) === 31);
    leaving.abort();
    await context.until("only one watches", 1_000, async () => (await countWatchers()) === 1);
    await Promise.all(watching);
    await ended;
  },
};

const stopsReading: Row = {
  id: "G5",
  promise: "a watcher that stops reading costs no memory, and hears everything when it reads on",
  run: async (context) => {
    const { job, ended } = await context.submit({ count: 40 });
    const gateway = gatewayOf(context, 0);
    const before = await residentBytes(gateway);
    const address = context.farm.address(0);
    const client = new JobServiceClient(address, credentials.createInsecure());
    const calls = Array.from({ length: 50 }, () =>
      client.watchJob({ name: jobName({ project: defaultProject, job }), resumeToken: "" }),
    );
    for (const call of calls) call.on("error", () => undefined).pause();
    await ended;
    const grown = (await residentBytes(gateway)) - before;
    context.note("grownBytes", grown);
    context.check(grown < bufferMax, `the gateway grew by ${grown} bytes`);
    const counts = await Promise.all(calls.map(countEnds));
    client.close();
    context.check(
      counts.every((count) => count === 41),
      `heard ${counts.join(", ")} of 41 events`,
    );
  },
};

const slowAttackers: Row = {
  id: "G6",
  promise: "silent and dribbling connections: others are served, and the silent ones are closed",
  run: async (context) => {
    const port = portOf(context, 0);
    const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    const settings = Buffer.from("000000040000000000", "hex");
    const openings: Record<string, Buffer> = {
      silent: Buffer.alloc(0),
      prefaceOnly: Buffer.from(preface),
      settingsOnly: Buffer.concat([Buffer.from(preface), settings]),
      // A HEADERS frame of 4,096 bytes of which none follows.
      headersBegun: Buffer.concat([
        Buffer.from(preface),
        settings,
        Buffer.from("001000010400000001", "hex"),
      ]),
    };
    const attackers = Object.entries(openings).map(([kind, opening]) => ({
      kind,
      sockets: Array.from({ length: attackersEach }, () => attack(port, opening)),
    }));
    context.undo(() => attackers.forEach(({ sockets }) => sockets.forEach((s) => s.destroy())));
    context.farm.fault("slow-attack", "gateway-1");
    await context.load(30);
    const closeWithinMs = limits.keepaliveMs + limits.keepaliveTimeoutMs + 5_000;
    await sleep(closeWithinMs);
    for (const { kind, sockets } of attackers) {
      context.note(`${kind}Open`, sockets.filter((socket) => !socket.destroyed).length);
    }
    const open = attackers.find(({ kind }) => kind === "settingsOnly")?.sockets ?? [];
    context.check(
      open.every((socket) => socket.destroyed),
      `who answers no ping is closed within ${closeWithinMs} ms`,
    );
  },
};

const rapidReset: Row = {
  id: "G7",
  promise: "thousands of streams opened and reset at once: other clients are served",
  run: async (context) => {
    const gateway = gatewayOf(context, 0);
    const { starts } = gateway;
    context.farm.fault("rapid-reset", gateway.name);
    const attacking = resetRapidly(portOf(context, 0));
    const client = context.farm.client(0);
    const { history } = context.farm;
    const careful = new RecordingClient({ client, history, stop: context.stop });
    const startedMs = history.now();
    const { job, request } = context.prepare({ count: 6 });
    context.check(await careful.submit(job, request), "a submit is accepted");
    context.check(await careful.watch(job), "its watcher sees the job end");
    context.note("servedMs", history.now() - startedMs);
    context.note("streamsReset", await attacking);
    client.close();
    context.check(gateway.starts === starts, "the gateway has not died");
  },
};

const sameKeyTwice: Row = {
  id: "G8",
  promise: "one request id at two gateways at once: one job, and both name it",
  run: async (context) => {
    const { history } = context.farm;
    const clients = [context.farm.client(0), context.farm.client(1)];
    const callers = clients.map(
      (client) => new RecordingClient({ client, history, stop: context.stop }),
    );
    for (let round = 0; round < 8; round += 1) {
      const { job, request } = context.prepare({ count: 5 });
      const answers = await Promise.all(callers.map((caller) => caller.submit(job, request)));
      context.check(answers.every(Boolean), "both are accepted");
      await Promise.all(callers.map((caller) => caller.watch(job)));
      context.check(context.repeats(job) === 0, "every task is drawn once");
    }
    for (const client of clients) client.close();
  },
};

export const gatewayGroup: RowGroup<Ground> = {
  name: "gateways",
  open: async () => ({ farm: { workers: 4, gateways: 2 } }),
  rows: [
    killedUnderWatch,
    killedBeforeReply,
    clientLeaves,
    watchersLeave,
    stopsReading,
    slowAttackers,
    rapidReset,
    sameKeyTwice,
  ],
};

function gatewayOf({ farm }: RowContext, index: number): ManagedProcess {
  const gateway = farm.gateways[index];
  if (gateway === undefined) throw new Error(`no gateway ${index}`);
  return gateway;
}

function portOf({ farm }: RowContext, index: number): number {
  return Number(farm.address(index).split(":").at(-1));
}

async function residentBytes({ pid }: ManagedProcess): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1_024;
}

/** Task ends and the job's end, read from where the caller had stopped. */
async function countEnds(call: AsyncIterable<WatchJobResponse>): Promise<number> {
  let count = 0;
  for await (const { event } of call) if (event?.$case !== "progress") count += 1;
  return count;
}

function attack(port: number, opening: Buffer): Socket {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => undefined);
  socket.on("connect", () => socket.write(opening));
  socket.resume();
  return socket;
}

/** How many streams were opened and reset before the server had enough of it. */
async function resetRapidly(port: number): Promise<number> {
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  session.on("error", () => undefined);
  let count = 0;
  for (; count < resets && !session.destroyed && !session.closed; count += 1) {
    const stream = session.request({
      ":method": "POST",
      ":path": "/zfarm.v1.JobService/GetJob",
      "content-type": "application/grpc",
      te: "trailers",
    });
    stream.on("error", () => undefined);
    stream.close(constants.NGHTTP2_CANCEL);
    if (count % 100 === 0) await sleep(1);
  }
  session.destroy();
  return count;
}
