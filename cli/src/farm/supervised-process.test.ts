import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "@zfarm/runtime";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ProcessOptions, SupervisedProcess } from "./supervised-process.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "zfarm-supervised-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** A script of the shell under supervision; `started` gives the process id of start number `n`. */
function supervise(script: string, options: Partial<ProcessOptions> = {}) {
  const notes: string[] = [];
  const lines: string[] = [];
  const starts: number[] = [];
  const waiting = new Map<number, (pid: number) => void>();
  const child = new SupervisedProcess({
    name: "thing",
    command: "/bin/sh",
    args: ["-c", script],
    env: { PATH: "/usr/bin:/bin" },
    logFile: join(folder, "thing.log"),
    clock: systemClock,
    isReady: async () => lines.length > 0,
    readLine: (line) => void lines.push(line),
    note: (line) => notes.push(line),
    onStart: (pid) => {
      starts.push(pid);
      waiting.get(starts.length)?.(pid);
    },
    ...options,
  });
  const started = (count: number): Promise<number> =>
    new Promise((resolve) => {
      const pid = starts[count - 1];
      if (pid === undefined) waiting.set(count, resolve);
      else resolve(pid);
    });
  return { child, notes, lines, started };
}

const { signal: never } = new AbortController();

test("a process that is killed is started again, and all it wrote is in its log", async () => {
  const { child, started, notes } = supervise("echo up; exec sleep 600");
  child.start();
  await child.ready(never);

  process.kill(await started(1), "SIGKILL");
  await started(2);
  await child.stop();

  expect(notes).toEqual(["thing ended (SIGKILL) and is started again"]);
  expect(await readFile(join(folder, "thing.log"), "utf8")).toMatch(/^up\n/);
});

test("a process that ends after it ran for long is started again", async () => {
  let passedMs = 0;
  const clock = { ...systemClock, monotonic: () => performance.now() + passedMs };
  const { child, started } = supervise("echo up; exec sleep 600", { clock });
  child.start();
  await child.ready(never);

  passedMs = 24 * 3_600_000;
  process.kill(await started(1), "SIGKILL");

  expect(await started(2)).toBeGreaterThan(0);
  await child.stop();
});

test("a process that is killed is started again though its output is held open", async () => {
  // As an engine in a long step does with the output of its worker.
  const held = supervise("sleep 30 & echo $!; exec sleep 600", { outputMs: 20 });
  held.child.start();
  await held.child.ready(never);
  const [holder] = held.lines;

  process.kill(await held.started(1), "SIGKILL");

  await held.started(2);
  // Throws where it has ended: then nothing was held open.
  process.kill(Number(holder), 0);
  await held.child.stop();
  for (const pid of held.lines) process.kill(Number(pid), "SIGKILL");
});

test("a process that does not end when it is asked to is killed", async () => {
  const { child, notes, started } = supervise("trap '' TERM; echo up; while :; do sleep 1; done", {
    killAfterMs: 50,
    outputMs: 20,
  });
  child.start();
  await child.ready(never);

  await child.stop();

  expect(notes).toEqual(["thing did not end in time and is killed"]);
  const pid = await started(1);
  expect(() => process.kill(pid, 0)).toThrow("ESRCH");
});

test("a log that cannot be written is told, and the process runs on", async () => {
  const { child, notes } = supervise("echo up; exec sleep 600", {
    logFile: join(folder, "nowhere", "thing.log"),
  });
  child.start();
  await child.ready(never);

  await expect.poll(() => notes).toHaveLength(1);
  expect(notes[0]).toContain("thing goes on without its log: ENOENT");
  await child.stop();
});

test("a program that is not there is told with its name when it was to be ready", async () => {
  const { child } = supervise("", { command: "/nowhere/thing" });
  child.start();

  await expect(child.ready(never)).rejects.toThrow(/thing did not start: .*thing\.log/);
  await child.stop();
});
