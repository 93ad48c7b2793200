/** Ctrl-C in a terminal, which signals every process of the group that runs there. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectFarm, type FarmClient } from "@zfarm/client";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { waitUntil } from "../chaos/farm/wait-until.ts";
import { cliEntry, hasNatsServer, untilReady } from "./farm.ts";

/** Takes seconds, and less than a worker has for its drain. */
const slow = { prompt: "a castle", width: 512, height: 512, steps: 30, seed: 3n };

describe.skipIf(!(await hasNatsServer()))("Ctrl-C", () => {
  let dataDir: string;
  let farm: ChildProcess;
  let client: FarmClient;

  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), "zfarm-ctrl-c-"));
    const args = [cliEntry, "up", "--port", "0", "--data", dataDir];
    const stdio = ["ignore", "pipe", "pipe"] as const;
    farm = spawn(process.execPath, args, { stdio: [...stdio], detached: true });
    client = connectFarm({ address: await untilReady(farm) });
  });
  afterEach(async () => {
    client.close();
    if (farm.exitCode === null && farm.signalCode === null) {
      pressCtrlC();
      await once(farm, "exit");
    }
    await rm(dataDir, { recursive: true, force: true });
  });

  const pressCtrlC = () => process.kill(-(farm.pid ?? 0), "SIGINT");

  async function beginPicture(): Promise<void> {
    const job = await client.createJob({ images: [slow] });
    for await (const { event } of client.watchJob(job.name)) {
      if (event?.$case === "progress" && event.value.step > 0) return;
    }
  }

  async function processes(): Promise<Record<string, number>> {
    const note = JSON.parse(await readFile(join(dataDir, "farm.json"), "utf8"));
    return note.processes;
  }

  test("in a command ends what it asked for, and says no more than that", async () => {
    const note = JSON.parse(await readFile(join(dataDir, "farm.json"), "utf8"));
    const args = [cliEntry, "render", slow.prompt, "--size", "512x512", "--steps", "50"];
    const command = spawn(process.execPath, [...args, "--address", note.address]);
    let notes = "";
    command.stderr.on("data", (text: Buffer) => {
      notes += text;
      // Once: a second press would end it without a word.
      if (!command.killed && notes.includes("step 1 of 50")) command.kill("SIGINT");
    });

    const [code] = await once(command, "close");

    expect(notes.trimEnd().split("\n").at(-1)).toBe("zfarm: stopped");
    expect(code).toBe(1);
    const workers = async () => (await client.listWorkers({})).map((worker) => worker.running);
    await expect.poll(workers, { timeout: 20_000 }).toEqual([0]);
  });

  test("lets the worker finish the picture that it draws", async () => {
    await beginPicture();

    pressCtrlC();
    const [code] = await once(farm, "exit");

    const log = await readFile(join(dataDir, "logs", "worker-1.log"), "utf8");
    expect(code).toBe(0);
    expect(log).toMatch(/"outcome":"succeeded"/);
    expect(log).not.toMatch("stop was asked for again");
  });

  test("a second time ends everything at once and leaves nobody behind", async () => {
    const pids = await processes();
    // The drain waits for this one.
    process.kill(pids["worker-1"] ?? 0, "SIGSTOP");
    pressCtrlC();

    // Not before a repeated press can be told from one that was passed on.
    const press = setInterval(pressCtrlC, 1_000);
    const [code] = await once(farm, "exit");
    clearInterval(press);

    expect(code).toBe(1);
    await waitUntil("nobody is left", 10_000, () => {
      return !Object.values(pids).some(isAlive);
    });
    expect(Object.keys(pids)).toHaveLength(4);
  });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
