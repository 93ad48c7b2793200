/** A real MinIO on the loopback, with a store that outlives its crashes. */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { invariant, systemClock } from "@zfarm/runtime";
import { canBuildMinio, findMinio } from "../../../../tools/servers/minio.mjs";
import type { S3Server } from "./s3-server.ts";

const startWithinMs = 60_000;

/**
 * Whether this machine has a MinIO; where it has none, that is said loudly. Where CI is set and
 * one could have been built, the tests must run, so there it throws instead.
 */
export async function hasMinioForTests(): Promise<boolean> {
  if ((await findMinio({ fetch: false })) !== undefined) return true;
  const how = "no MinIO found: run `node tools/servers/minio.mjs --fetch`, which needs Go";
  invariant(!process.env["CI"] || !(await canBuildMinio()), how);
  process.stderr.write(`\n*** SKIPPED: tests on a real MinIO. ${how} ***\n\n`);
  return false;
}

export async function startMinio(): Promise<S3Server> {
  const found = await findMinio({ fetch: false });
  invariant(found !== undefined, "tests that start MinIO asked whether there is one before");
  const store = await mkdtemp(join(tmpdir(), "zfarm-minio-"));
  const server = new RunningMinio(found.path, store);
  try {
    await server.restart();
    return server;
  } catch (error) {
    await server.stop();
    throw error;
  }
}

class RunningMinio implements S3Server {
  readonly region = "us-east-1";
  readonly accessKey = "zfarm-test";
  readonly secretKey = randomBytes(16).toString("hex");
  readonly #path: string;
  readonly #store: string;
  /** 0 until the server has chosen one. */
  #port = 0;
  #child: ChildProcess | undefined;
  /** A test runner that dies must not leave servers behind. */
  readonly #onExit = (): void => void this.#child?.kill("SIGKILL");

  constructor(path: string, store: string) {
    this.#path = path;
    this.#store = store;
    process.once("exit", this.#onExit);
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  freeze(): void {
    this.#child?.kill("SIGSTOP");
  }

  thaw(): void {
    this.#child?.kill("SIGCONT");
  }

  async restart(): Promise<void> {
    await this.#end("SIGTERM");
    const address = `127.0.0.1:${this.#port}`;
    const child = spawn(this.#path, ["server", this.#store, "--address", address, "--json"], {
      env: {
        HOME: this.#store,
        MINIO_ROOT_USER: this.accessKey,
        MINIO_ROOT_PASSWORD: this.secretKey,
        // No console, and no look for updates: tests use no network.
        MINIO_BROWSER: "off",
        MINIO_UPDATE: "off",
        MINIO_CALLHOME_ENABLE: "off",
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child = child;
    this.#port = await readPort(child);
  }

  async stop(): Promise<void> {
    await this.#end("SIGTERM");
    process.removeListener("exit", this.#onExit);
    await rm(this.#store, { recursive: true, force: true });
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill(signal);
    child.kill("SIGCONT");
    await exited;
  }
}

/** MinIO names the address it listens on in a line of its log, once it answers there. */
async function readPort(child: ChildProcess): Promise<number> {
  const started = new AbortController();
  const late = systemClock.sleep(startWithinMs, started.signal).then(() => undefined);
  const ended = once(child, "exit").then(() => undefined);
  // Releases differ in where they log.
  const named = [child.stdout, child.stderr].map(findPort);
  const port = await Promise.race([...named, late, ended]);
  started.abort();
  invariant(port !== undefined, `MinIO runs and names its port within ${startWithinMs} ms`);
  return port;
}

/** Reads on to the end: a pipe that nobody empties would stop the server some day. */
function findPort(output: Readable | null): Promise<number> {
  invariant(output !== null, "MinIO's output is a pipe");
  return new Promise((resolve) => {
    createInterface({ input: output }).on("line", (line) => {
      const match = /API: http:\/\/[\d.]+:(\d+)/.exec(line);
      if (match !== null) resolve(Number(match[1]));
    });
  });
}
