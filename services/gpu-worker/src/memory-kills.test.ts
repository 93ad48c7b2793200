import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { countMemoryKills } from "./memory-kills.ts";

let folder: string;
let container: string;
let machine: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "memory-kills-"));
  [container, machine] = [join(folder, "memory.events"), join(folder, "vmstat")];
  await writeFile(machine, "pgfault 12\noom_kill 15\nnuma_hit 3\n");
});
afterEach(() => rm(folder, { recursive: true }));

test("a container's own count goes before the machine's", async () => {
  await writeFile(container, "low 0\noom 4\noom_kill 3\noom_group_kill 1\n");

  expect(countMemoryKills([container, machine])).toBe(3);
});

test("the machine's counts where there is no other", () => {
  expect(countMemoryKills([container, machine])).toBe(15);
});

test("nothing is known where nobody counts", () => {
  expect(countMemoryKills([container])).toBeUndefined();
});

test.runIf(process.platform === "linux")("this system counts", () => {
  expect(countMemoryKills()).toBeGreaterThanOrEqual(0);
});
