/** A whole farm as its users start it, `zfarm up`, in a folder of its own, with knives out. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { connectFarm, type FarmClient } from "@zfarm/client";
import { findNatsServer } from "../../tools/servers/nats-server.mjs";
import { repositoryRoot } from "../repository.ts";

export interface FarmUnderTest {
  readonly address: string;
  readonly client: FarmClient;
  readonly dataDir: string;
  /** Kills a process of the farm with SIGKILL; the farm starts it again by itself. */
  kill(name: string): Promise<void>;
  /** Process id of a process of the farm, as it is now. */
  pid(name: string): Promise<number>;
  /** All of them, by name. */
  processes(): Promise<Readonly<Record<string, number>>>;
  /** Files of the object store below a job, relative to the store. */
  objectsOf(jobName: string): Promise<string[]>;
  stop(): Promise<number>;
}

export const cliEntry = join(repositoryRoot, "cli/bin/zfarm.mjs");

/** Whether the tests here can run; in CI a missing server is a failure, elsewhere a loud skip. */
export async function hasNatsServer(): Promise<boolean> {
  const found = await findNatsServer({
    fetch: true,
    log: (line) => process.stderr.write(`${line}\n`),
  });
  if (found !== undefined) return true;
  const text = "no nats-server on this machine: tests with a real farm did not run";
  if (process.env["CI"] === "true") throw new Error(text);
  process.stderr.write(`\n  SKIPPED: ${text}\n\n`);
  return false;
}

export async function startFarm(options: {
  /** As the command takes it: a number, or a range such as "0..3". */
  workers: number | string;
  env?: NodeJS.ProcessEnv;
  /** Directory; the shipped model when absent. */
  model?: string;
}): Promise<FarmUnderTest> {
  const dataDir = await mkdtemp(join(tmpdir(), "zfarm-test-"));
  const args = ["up", "--workers", String(options.workers), "--port", "0", "--data", dataDir];
  if (options.model !== undefined) args.push("--model", options.model);
  const child = spawn(process.execPath, [cliEntry, ...args], {
    env: { ...process.env, ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  // From the start: a farm that has ended on its own would else be waited for without end.
  const exited = once(child, "exit") as Promise<[number]>;
  const address = await untilReady(child);
  const client = connectFarm({ address });
  const processes = async (): Promise<Record<string, number>> => {
    const note = JSON.parse(await readFile(join(dataDir, "farm.json"), "utf8"));
    return note.processes;
  };
  const pid = async (name: string) => (await processes())[name] as number;
  return {
    address,
    client,
    dataDir,
    pid,
    processes,
    kill: async (name) => void process.kill(await pid(name), "SIGKILL"),
    objectsOf: async (jobName) => {
      const [, project = "", , job = ""] = jobName.split("/");
      const files = await readdir(join(dataDir, "blobs", project, job), { recursive: true });
      return files.filter((file) => file.endsWith(".png")).sort();
    },
    stop: async () => {
      client.close();
      child.kill("SIGTERM");
      const [code] = await exited;
      await rm(dataDir, { recursive: true, force: true });
      return code;
    },
  };
}

/** The address from the line `ready HOST:PORT`. */
export async function untilReady(child: ChildProcess): Promise<string> {
  const words: string[] = [];
  child.stderr?.on("data", (bytes: Buffer) => words.push(bytes.toString()));
  const lines = createInterface({ input: child.stdout ?? process.stdin });
  for await (const line of lines) {
    const address = /^ready (\S+)$/.exec(line)?.[1];
    if (address !== undefined) return address;
  }
  throw new Error(`the farm did not start: ${words.join("")}`);
}

/** The processes whose parent is this one (Linux). */
export async function childrenOf(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8");
  return text.trim().split(/\s+/).filter(Boolean).map(Number);
}
