/** A real nats-server with JetStream on the loopback, with a store that outlives its crashes. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { findFreePort, invariant, systemClock } from "@zfarm/runtime";
import { type FoundServer, findNatsServer } from "../../../../tools/servers/nats-server.mjs";

export interface NatsServer {
  /** nats://127.0.0.1:port, the same after a restart. */
  readonly url: string;
  readonly version: string;
  /** Of the process that runs now; undefined where none does. */
  readonly pid: number | undefined;
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>;
  /** SIGSTOP: connections stay open and nothing answers; resolves when that is so. */
  freeze(): Promise<void>;
  /** SIGCONT. */
  thaw(): void;
  /** Starts it again on the same port and store, after ending it if it runs. */
  restart(options?: NatsRestart): Promise<void>;
  /** Keeps a copy of the store as it is now, for a restart to begin with. */
  snapshot(): Promise<void>;
  /** Ends it and removes its store. */
  stop(): Promise<void>;
}

export interface NatsRestart {
  /** Start on an empty store, as after the loss of a disk. */
  readonly forget?: boolean;
  /** Start on the store as it was at the last snapshot: what came after is lost. */
  readonly fromSnapshot?: boolean;
  /** Start with JetStream off. */
  readonly withoutJetStream?: boolean;
}

const startWithinMs = 20_000;
const lookEveryMs = 20;
const triesMax = 3;

/**
 * The nats-server that tests run on, or undefined, said loudly, where this machine has none.
 * Where CI is set the tests must run, so there it throws instead.
 */
export async function findServerForTests(): Promise<FoundServer | undefined> {
  const found = await findNatsServer({ fetch: false });
  if (found !== undefined) return found;
  const how = "no nats-server found: run `node tools/servers/nats-server.mjs --fetch`";
  invariant(!process.env["CI"], how);
  process.stderr.write(`\n*** SKIPPED: tests on a real nats-server. ${how} ***\n\n`);
  return undefined;
}

export interface NatsServerOptions {
  /** JetStream refuses to store more than this. */
  readonly storeBytesMax?: number;
  /** Where the store lies; by default in a folder of its own among the temporary ones. */
  readonly storeParent?: string;
  /** Text of its configuration file, which names no store: that is what it is without it. */
  readonly config?: string;
}

export async function startNatsServer(options: NatsServerOptions = {}): Promise<NatsServer> {
  const found = await findNatsServer({ fetch: false });
  invariant(found !== undefined, "tests that start a nats-server asked for its path before");
  const store = await mkdtemp(join(options.storeParent ?? tmpdir(), "zfarm-nats-"));
  // Another process may take the free port first; then the server exits and another is tried.
  for (let attempt = 1; ; attempt += 1) {
    const port = await findFreePort();
    const server = new RunningNatsServer({ path: found.path, port, store, ...options });
    try {
      await server.restart();
      return Object.assign(server, { version: found.version });
    } catch (error) {
      if (attempt === triesMax) throw error;
    }
  }
}

interface ServerPlace extends NatsServerOptions {
  readonly path: string;
  readonly port: number;
  readonly store: string;
}

class RunningNatsServer {
  readonly url: string;
  readonly #place: ServerPlace;
  #child: ChildProcess | undefined;
  /** A test runner that dies must not leave servers behind. */
  readonly #onExit = (): void => void this.#child?.kill("SIGKILL");

  constructor(place: ServerPlace) {
    this.#place = place;
    this.url = `nats://127.0.0.1:${place.port}`;
    process.once("exit", this.#onExit);
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  async freeze(): Promise<void> {
    const { pid } = this;
    invariant(pid !== undefined, "only a running server can be frozen");
    process.kill(pid, "SIGSTOP");
    const late = AbortSignal.timeout(startWithinMs);
    // The signal takes effect a little later, and the server may answer until then.
    while (!(await isStopped(pid))) await systemClock.sleep(lookEveryMs, late);
  }

  thaw(): void {
    this.#child?.kill("SIGCONT");
  }

  async snapshot(): Promise<void> {
    const { store } = this.#place;
    await this.kill();
    await rm(`${store}.snapshot`, { recursive: true, force: true });
    await cp(store, `${store}.snapshot`, { recursive: true });
    await this.restart();
  }

  async restart(options: NatsRestart = {}): Promise<void> {
    const { forget = false, fromSnapshot = false, withoutJetStream = false } = options;
    await this.#end("SIGTERM");
    const { path, port, store, storeBytesMax, config } = this.#place;
    if (forget || fromSnapshot) await rm(store, { recursive: true, force: true });
    if (fromSnapshot) await cp(`${store}.snapshot`, store, { recursive: true });
    const jetStream = ["-js", "-sd", store];
    if (storeBytesMax !== undefined) {
      const bound = `jetstream { store_dir: "${store}", max_file_store: ${storeBytesMax} }\n`;
      jetStream.splice(0, 3, "-c", await writeConfig(store, bound));
    }
    const use = withoutJetStream ? [] : jetStream;
    if (config !== undefined) use.push("-c", await writeConfig(store, config));
    const child = spawn(path, ["-a", "127.0.0.1", "-p", String(port), ...use], {
      stdio: "ignore",
    });
    this.#child = child;
    await waitForGreeting(port, child);
  }

  async stop(): Promise<void> {
    await this.#end("SIGTERM");
    process.removeListener("exit", this.#onExit);
    const { store } = this.#place;
    for (const path of [store, `${store}.snapshot`, `${store}.conf`]) {
      await rm(path, { recursive: true, force: true });
    }
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

/** The server takes some things from a file only. */
async function writeConfig(store: string, text: string): Promise<string> {
  const path = `${store}.conf`;
  await writeFile(path, text);
  return path;
}

async function isStopped(pid: number): Promise<boolean> {
  const { stdout } = await promisify(execFile)("ps", ["-o", "state=", "-p", String(pid)]);
  return stdout.trim().startsWith("T");
}

/** A NATS server speaks first; it listens only once its streams are recovered. */
async function waitForGreeting(port: number, child: ChildProcess): Promise<void> {
  const late = AbortSignal.timeout(startWithinMs);
  while (!late.aborted) {
    invariant(child.exitCode === null, `nats-server ended at once with ${child.exitCode}`);
    if (await isGreeted(port)) return;
    await systemClock.sleep(lookEveryMs, late);
  }
  invariant(false, `nats-server answers within ${startWithinMs} ms`);
}

function isGreeted(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    const answer = (greeted: boolean): void => {
      socket.destroy();
      resolve(greeted);
    };
    socket.setTimeout(1_000, () => answer(false));
    socket.once("data", (chunk) => answer(chunk.toString().startsWith("INFO ")));
    socket.once("error", () => answer(false));
    socket.once("close", () => answer(false));
  });
}
