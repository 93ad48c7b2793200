/**
 * BullMQ's side, in plain JavaScript because its packages are no part of this repository: they are
 * installed into the user's cache, so that the lockfile holds only what the product needs.
 */
import { fork, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { access, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { runCommand } from "../../tools/servers/run-command.mjs";

const dependencies = { bullmq: "6.7.0", ioredis: "5.9.3" };
const queueName = "pictures";
const workerEntry = fileURLToPath(new URL("bullmq-worker.mjs", import.meta.url));
/** Far more events than one run has: none may be trimmed before the client has read it. */
const eventsMax = 1_000_000;

/** The Redis of this machine, or undefined, said loudly, where there is none. */
export async function findRedis() {
  const path = process.env["REDIS_SERVER_BIN"] ?? "redis-server";
  const version = await runCommand(path, ["--version"], { limitMs: 10_000 }).catch(() => "");
  const found = /v=(\S+)/.exec(version)?.[1];
  if (found !== undefined) return { path, version: found };
  process.stderr.write(
    "\n*** SKIPPED: BullMQ. No redis-server: apt-get install redis-server ***\n",
  );
  return undefined;
}

/**
 * @param {{ path: string }} redis
 * @param {number} concurrency
 * @param {(pid: number) => Promise<number>} readCpuSeconds
 * @returns {Promise<import("./job-side.ts").JobSide>}
 */
export async function openBullMqSide(redis, concurrency, readCpuSeconds) {
  const home = await installPackages();
  const load = createRequire(join(home, "package.json"));
  const { Queue, QueueEvents } = load("bullmq");
  const server = await startRedis(redis.path);
  const connection = { host: "127.0.0.1", port: server.port, maxRetriesPerRequest: null };
  const queue = new Queue(queueName, { connection, streams: { events: { maxLen: eventsMax } } });
  const events = new QueueEvents(queueName, { connection });
  const waiting = new Map();
  events.on("completed", ({ jobId }) => {
    waiting.get(jobId)?.();
    waiting.delete(jobId);
  });
  await events.waitUntilReady();
  const worker = fork(workerEntry, [home, queueName, String(server.port), String(concurrency)]);
  await once(worker, "message");
  return {
    submit: async (prompts, onDone) => {
      const jobs = prompts.map((prompt) => {
        const jobId = randomUUID();
        waiting.set(jobId, onDone);
        const data = { prompt, width: 256, height: 256, steps: 8, seed: "1" };
        return { name: "picture", data, opts: { jobId } };
      });
      await queue.addBulk(jobs);
    },
    cpuSeconds: async () => ({
      workers: await readCpuSeconds(worker.pid),
      redis: await readCpuSeconds(server.pid),
    }),
    stop: async () => {
      const exited = once(worker, "exit");
      worker.disconnect();
      await exited;
      await events.close();
      await queue.close();
      await server.stop();
    },
  };
}

/** Once a version; npm's own lock and integrity checks apply. */
async function installPackages() {
  const cache = process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache");
  const home = join(cache, "zfarm", "bench", `bullmq-${dependencies.bullmq}`);
  const marker = join(home, "node_modules/bullmq/package.json");
  if (
    await access(marker).then(
      () => true,
      () => false,
    )
  )
    return home;
  process.stderr.write(`installing BullMQ ${dependencies.bullmq} into the cache (once)\n`);
  await mkdir(home, { recursive: true });
  await writeFile(join(home, "package.json"), JSON.stringify({ private: true, dependencies }));
  const args = ["install", "--ignore-scripts", "--no-audit", "--no-fund"];
  await runCommand("npm", args, { limitMs: 5 * 60_000, cwd: home });
  return home;
}

/** Jobs and results are to survive as the farm's do, so its log is on, as BullMQ advises. */
async function startRedis(path) {
  const port = await findFreePort();
  const folder = await mkdtemp(join(tmpdir(), "zfarm-redis-"));
  const settings = { port, bind: "127.0.0.1", dir: folder, save: "", appendonly: "yes" };
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const child = spawn(path, [...args, "--appendfsync", "everysec"], { stdio: "ignore" });
  process.once("exit", () => child.kill("SIGKILL"));
  return {
    port,
    pid: child.pid,
    stop: async () => {
      const exited = once(child, "exit");
      child.kill("SIGTERM");
      await exited;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function findFreePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}
