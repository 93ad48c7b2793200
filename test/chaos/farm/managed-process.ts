/**
 * A real process with every knife at its throat: killed, frozen, thawed, told to stop, and started
 * again after a fixed delay when it dies unasked. Its output goes to a file and to a listener.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { waitUntil } from "./wait-until.ts";

export interface ProcessSpec {
  readonly name: string;
  /** The program and its arguments. */
  readonly command: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly logFile: string;
  readonly opsHost?: string;
  /** It is started again this long after it died; absent: it stays dead. */
  readonly restartMs?: number;
  readonly isReady: (process: ManagedProcess) => Promise<boolean>;
  readonly onLine?: (line: string) => void;
}

const readyWithinMs = 60_000;
const logCharsShown = 2_000;
const stopWithinMs = 40_000;

/** A harness that dies must not leave processes behind. */
const everyProcess = new Set<ManagedProcess>();
process.once("exit", () => everyProcess.forEach((each) => each.killGroup()));

export class ManagedProcess {
  readonly #spec: ProcessSpec;
  #child: ChildProcess | undefined;
  #opsPort: number | undefined;
  #isStopping = false;
  /** While true it stays dead after a death. */
  #isHeld = false;
  #starts = 0;
  #exits: string[] = [];

  constructor(spec: ProcessSpec) {
    this.#spec = spec;
    everyProcess.add(this);
  }

  get name(): string {
    return this.#spec.name;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  get isAlive(): boolean {
    return this.#child !== undefined;
  }

  get starts(): number {
    return this.#starts;
  }

  /** How its lives ended so far, oldest first. */
  get exits(): readonly string[] {
    return this.#exits;
  }

  /** host:port of its ops server in the life it leads now, once it has said so. */
  get opsAddress(): string | undefined {
    const { opsHost = "127.0.0.1" } = this.#spec;
    return this.#opsPort === undefined ? undefined : `${opsHost}:${this.#opsPort}`;
  }

  start(): void {
    this.#isStopping = false;
    this.#isHeld = false;
    if (this.#child === undefined) this.#spawn();
  }

  async ready(withinMs = readyWithinMs): Promise<void> {
    await waitUntil(`${this.name} is ready`, withinMs, () => this.isReady()).catch(
      async (error: unknown) => {
        // Whoever waited removes the folder, and what the process said with it.
        const text = await readFile(this.#spec.logFile, "utf8").catch(() => "no log");
        const lives = `${this.starts} starts, ended: ${this.exits.join(", ")}`;
        throw new Error(
          `${this.name} is not ready; ${lives}; its log ends: ${text.slice(-logCharsShown)}`,
          { cause: error },
        );
      },
    );
  }

  async isReady(): Promise<boolean> {
    return this.isAlive && (await this.#spec.isReady(this));
  }

  /** SIGKILL; resolves when the process is gone. `hold` keeps it dead until `start`. */
  async kill({ hold = false } = {}): Promise<void> {
    this.#isHeld = hold;
    await this.#end("SIGKILL");
  }

  /** SIGTERM; resolves with how it ended. It stays dead until `start`. */
  async terminate(): Promise<string> {
    this.#isHeld = true;
    await this.#end("SIGTERM");
    return this.#exits.at(-1) ?? "never ran";
  }

  /** SIGSTOP: connections stay open and nothing answers. */
  freeze(): void {
    this.#child?.kill("SIGSTOP");
  }

  thaw(): void {
    this.#child?.kill("SIGCONT");
  }

  /** Freezes it for a while, unless it is dead then. */
  async freezeFor(ms: number): Promise<void> {
    const child = this.#child;
    child?.kill("SIGSTOP");
    await sleep(ms);
    child?.kill("SIGCONT");
  }

  /** The end of the run: asks first, then insists on the whole group. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    const child = this.#child;
    if (child === undefined) return;
    child.kill("SIGCONT");
    child.kill("SIGTERM");
    const late = new AbortController();
    const insist = sleep(stopWithinMs, undefined, { signal: late.signal }).then(
      () => this.killGroup(),
      () => undefined,
    );
    await once(child, "exit");
    late.abort();
    await insist;
  }

  /** The process and whatever it has started. */
  killGroup(): void {
    const pid = this.#child?.pid;
    if (pid === undefined) return;
    try {
      process.kill(-pid, "SIGKILL");
    } catch {
      // The group is gone already.
    }
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    const exited = once(child, "exit");
    child.kill(signal);
    child.kill("SIGCONT");
    await exited;
  }

  #spawn(): void {
    const { command, env, logFile, onLine } = this.#spec;
    const [program = "", ...args] = command;
    // A group of its own, so that an engine which outlives its worker can be found at the end.
    const child = spawn(program, args, { env, stdio: ["ignore", "pipe", "pipe"], detached: true });
    this.#child = child;
    this.#opsPort = undefined;
    this.#starts += 1;
    const log = createWriteStream(logFile, { flags: "a" });
    for (const output of [child.stdout, child.stderr]) {
      createInterface({ input: output }).on("line", (line) => {
        log.write(`${line}\n`);
        this.#readOpsPort(line);
        onLine?.(line);
      });
    }
    child.once("error", (error) => log.write(`${error.message}\n`));
    child.once("exit", (code, signal) => this.#onExit(signal ?? `exit code ${code}`));
    child.once("close", () => log.end());
  }

  #onExit(how: string): void {
    this.#exits.push(how);
    this.#child = undefined;
    const { restartMs } = this.#spec;
    if (restartMs === undefined || this.#isStopping || this.#isHeld) return;
    setTimeout(() => {
      if (!this.#isStopping && !this.#isHeld && this.#child === undefined) this.#spawn();
    }, restartMs);
  }

  #readOpsPort(line: string): void {
    if (!line.includes('"ops server listens"')) return;
    this.#opsPort = Number((JSON.parse(line) as { port?: number }).port);
  }
}
