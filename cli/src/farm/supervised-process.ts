/**
 * A process of the local farm that is kept running: its output goes to a file, and when it dies it
 * is started again after a growing, bounded delay.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createWriteStream, type WriteStream } from "node:fs";
import { createInterface } from "node:readline";
import { FarmError } from "@zfarm/contract";
import { backoffMs, type Clock, type Env, stopWithinMsDefault } from "@zfarm/runtime";
import { guardGroup } from "./guard-group.ts";

export interface ProcessOptions {
  /** Shown to the user. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Env;
  readonly logFile: string;
  readonly clock: Clock;
  /** Whether it does its work already; asked again and again while it starts. */
  isReady(): Promise<boolean>;
  /** Each line it writes; gives what is worth telling the user should it end, if anything. */
  readLine(line: string): string | undefined;
  /** News for the user: why it ended, and that it is started again. */
  readonly note: (line: string) => void;
  /** Called whenever a process was started, the first one included. */
  readonly onStart?: (pid: number) => void;
  /** Where given, each process that is started gets a channel; this is told what it says. */
  readonly onMessage?: (message: unknown, reply: (message: object) => void) => void;
  /** A process that has not ended so long after it was asked to is killed. */
  readonly killAfterMs?: number;
  /** How long output may stay open behind a process that has ended. */
  readonly outputMs?: number;
}

/** A process that stayed up this long starts its restarts from the first delay again. */
const steadyMs = 30_000;
/** Between two looks at a process that is starting. */
const pollMs = 25;
/** Beyond the time that services give themselves: what lives then, does not drain but hang. */
const killAfterMsDefault = stopWithinMsDefault + 10_000;
/**
 * An engine shares the output of its worker and outlives one that was killed until its step is
 * over. That is waited for, so that two do not share a device, but not for ever.
 */
const outputMsDefault = 30_000;

export class SupervisedProcess {
  readonly #options: ProcessOptions;
  readonly #stopping = new AbortController();
  #child: ChildProcess | undefined;
  #starts = 0;
  #lastWords = "";
  #loop: Promise<void> = Promise.resolve();

  constructor(options: ProcessOptions) {
    this.#options = options;
  }

  get name(): string {
    return this.#options.name;
  }

  /** Whether it runs and does its work. */
  async isReady(): Promise<boolean> {
    return this.#child !== undefined && (await this.#options.isReady());
  }

  /** Starts it and keeps it running until `stop`. */
  start(): void {
    this.#loop = this.#keepRunning();
  }

  /** Resolves once it is ready; rejects with its own words if it ends before that. */
  async ready(stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      if (this.#starts > 1 || this.#child === undefined) throw this.#startFailure();
      if (await this.#options.isReady()) return;
      await this.#options.clock.sleep(pollMs, stop);
    }
    throw new FarmError("DRAINING", `${this.name} was stopped before it was ready`);
  }

  /** Asks it to drain and waits until it has ended; kills one that does not. */
  async stop(): Promise<void> {
    const { clock, killAfterMs = killAfterMsDefault } = this.#options;
    this.#stopping.abort();
    this.#child?.kill("SIGTERM");
    const ended = new AbortController();
    const loop = this.#loop.finally(() => ended.abort());
    await clock.sleep(killAfterMs, ended.signal);
    if (!ended.signal.aborted) {
      this.#options.note(`${this.name} did not end in time and is killed`);
      this.#child?.kill("SIGKILL");
    }
    await loop;
  }

  async #keepRunning(): Promise<void> {
    const { clock } = this.#options;
    let failures = 0;
    while (!this.#stopping.signal.aborted) {
      const startedMs = clock.monotonic();
      const how = await this.#runOnce();
      if (this.#stopping.signal.aborted) return;
      // A steady one that ends has failed once.
      failures = clock.monotonic() - startedMs > steadyMs ? 1 : failures + 1;
      this.#options.note(`${this.name} ended (${how}) and is started again`);
      await clock.sleep(backoffMs(failures), this.#stopping.signal);
    }
  }

  async #runOnce(): Promise<string> {
    const { command, args, env } = this.#options;
    const channel = this.#options.onMessage === undefined ? [] : (["ipc"] as const);
    const stdio = ["ignore", "pipe", "pipe", ...channel] as const;
    const child = spawn(command, args, { env, stdio: [...stdio], detached: true });
    const unguard = child.pid === undefined ? undefined : guardGroup(child.pid);
    this.#listen(child);
    this.#child = child;
    this.#starts += 1;
    if (child.pid !== undefined) this.#options.onStart?.(child.pid);
    const log = this.#openLog();
    for (const output of [child.stdout, child.stderr]) {
      if (output === null) continue;
      createInterface({ input: output }).on("line", (line) => {
        log.write(`${line}\n`);
        this.#lastWords = this.#options.readLine(line) ?? this.#lastWords;
      });
    }
    const how = await this.#untilEnded(child);
    unguard?.();
    log.end();
    this.#child = undefined;
    return how;
  }

  #listen(child: ChildProcess): void {
    const { onMessage } = this.#options;
    if (onMessage === undefined) return;
    // Who asked and is gone needs no answer.
    const reply = (message: object): void => void child.send(message, () => undefined);
    child.on("message", (message) => onMessage(message, reply));
  }

  /** A log that cannot be written is no reason to stop the farm. */
  #openLog(): WriteStream {
    const { logFile, note } = this.#options;
    const log = createWriteStream(logFile, { flags: "a" });
    log.once("error", (error) => note(`${this.name} goes on without its log: ${error.message}`));
    return log;
  }

  /** "close" follows the last line; who inherited the output may hold that up. */
  async #untilEnded(child: ChildProcess): Promise<string> {
    const { clock, outputMs = outputMsDefault } = this.#options;
    const closed = new AbortController();
    child.once("close", () => closed.abort());
    const how = await new Promise<string>((resolve) => {
      child.once("error", (error) => {
        if (child.pid === undefined) resolve(error.message);
      });
      child.once("exit", (code, signal) => resolve(signal ?? `exit code ${code}`));
    });
    if (child.pid !== undefined) await clock.sleep(outputMs, closed.signal);
    for (const output of [child.stdout, child.stderr]) output?.destroy();
    return how;
  }

  #startFailure(): FarmError {
    const reason = this.#lastWords || "it ended without a word";
    return new FarmError(
      "INTERNAL",
      `${this.name} did not start: ${reason}; its log is ${this.#options.logFile}`,
    );
  }
}
