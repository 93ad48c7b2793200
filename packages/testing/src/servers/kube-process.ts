/** One process of a control plane: it writes to a file, and ends with whoever started it. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { invariant, systemClock } from "@zfarm/runtime";

const lookEveryMs = 50;
const stopWithinMs = 10_000;
/** The end of a log is where programs say what stopped them. */
const logCharsKept = 2_000;

export interface KubeProgram {
  readonly name: string;
  readonly path: string;
  readonly args: readonly string[];
  /** On top of a home of its own and the search path. */
  readonly env?: Readonly<Record<string, string>>;
}

/** A test runner that dies must not leave servers behind. */
const running = new Set<ChildProcess>();
process.once("exit", () => running.forEach((child) => child.kill("SIGKILL")));

export class KubeProcess {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #logFile: string;
  readonly #exited: Promise<unknown>;

  /** @param folder Where it runs, and its log is kept. */
  constructor(program: KubeProgram, folder: string) {
    this.name = program.name;
    this.#logFile = join(folder, `${program.name}.log`);
    const log = openSync(this.#logFile, "w");
    this.#child = spawn(program.path, program.args, {
      cwd: folder,
      // No user's own kubeconfig or settings.
      env: { HOME: folder, PATH: process.env["PATH"], ...program.env },
      stdio: ["ignore", log, log],
    });
    closeSync(log);
    this.#exited = once(this.#child, "exit").finally(() => running.delete(this.#child));
    running.add(this.#child);
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** What it holds in memory now, in bytes; 0 where the system does not say. */
  async residentBytes(): Promise<number> {
    const status = await readFile(`/proc/${this.#child.pid}/status`, "utf8").catch(() => "");
    return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024;
  }

  /** Looks again and again until `isReady`; a process that has ended never will be. */
  async ready(isReady: () => Promise<boolean>, withinMs: number): Promise<void> {
    const late = AbortSignal.timeout(withinMs);
    while (!(await isReady())) {
      if (this.hasEnded || late.aborted) {
        const text = await readFile(this.#logFile, "utf8");
        const end = text.slice(-logCharsKept);
        invariant(false, `${this.name} is ready within ${withinMs} ms; its log ends: ${end}`);
      }
      await systemClock.sleep(lookEveryMs, late);
    }
  }

  async kill(signal: NodeJS.Signals): Promise<void> {
    if (this.hasEnded) return;
    this.#child.kill(signal);
    const late = new AbortController();
    const waited = systemClock.sleep(stopWithinMs, late.signal).then(() => {
      if (!late.signal.aborted) this.#child.kill("SIGKILL");
    });
    await this.#exited;
    late.abort();
    await waited;
  }
}
