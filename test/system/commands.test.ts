/** The two commands of the README, as typed, and the errors a person meets first. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { isAbsolute, join } from "node:path";
import { readPngMetadata } from "@zfarm/zimage";
import { afterAll, describe, expect, test } from "vitest";
import { cliEntry, hasNatsServer } from "./farm.ts";

const folder = mkdtempSync(join(tmpdir(), "zfarm-test-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function zfarm(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const result = spawnSync(process.execPath, [cliEntry, ...args], {
    cwd: folder,
    env: { ...process.env, ...env },
    encoding: "utf8",
  });
  return { code: result.status, lines: result.stdout.trim().split("\n"), notes: result.stderr };
}

const brokers = (await hasNatsServer()) ? ["nats", "memory"] : ["memory"];

describe("zfarm quickstart", () => {
  test.each(brokers)("draws the prompt through a whole farm (broker: %s)", async (broker) => {
    const out = join(folder, `${broker}.png`);
    const env = broker === "memory" ? { ZFARM_BROKER: "memory" } : {};

    const prompt = "a green tree at night";
    const run = zfarm(["quickstart", prompt, "--out", out, "--seed", "42", "--steps", "4"], env);

    expect(run.notes).toContain("step 4 of 4");
    expect(run.code).toBe(0);
    expect(run.lines.at(-1)).toBe(out);
    const metadata = readPngMetadata(readFileSync(out));
    expect(metadata).toMatchObject({ prompt, seed: 42n, steps: 4 });
  });

  test("the same seed gives the same bytes on either broker", () => {
    const files = brokers.map((broker) => readFileSync(join(folder, `${broker}.png`)));

    expect(files.every((bytes) => files[0]?.equals(bytes))).toBe(true);
  });

  test("several pictures are printed in order, each by its absolute path", () => {
    const run = zfarm([
      "quickstart",
      "-n",
      "3",
      "--steps",
      "1",
      "--size",
      "128x128",
      "--out",
      "p.png",
    ]);

    expect(run.code).toBe(0);
    expect(run.lines.map((line) => line.split("/").at(-1))).toEqual([
      "p-1.png",
      "p-2.png",
      "p-3.png",
    ]);
    expect(run.lines.every((line) => isAbsolute(line) && existsSync(line))).toBe(true);
  });
});

describe("zfarm", () => {
  test.each([
    [["render"], 2, "render takes one prompt"],
    [["render", "x", "--size", "big"], 2, "--size big: must be WIDTHxHEIGHT"],
    [["render", "x", "--colour", "red"], 2, "--colour"],
    [["fly"], 2, "usage: zfarm COMMAND"],
    [["--help"], 0, "usage: zfarm COMMAND"],
    [["job", "explain", "--help"], 0, "say why it waits"],
    [["job", "get", "nonsense"], 2, "job nonsense: must be an id"],
    [["job", "update", "a".repeat(26)], 2, "at least one of --class"],
    [["job", "pause", "a".repeat(26), "--sample", "1"], 2, "--sample belongs to zfarm job update"],
    [["workers", "drain"], 2, "show|drain|resume|lock|unlock|quarantine|forgive NAME"],
    [["workers", "drain", "w", "--reason", "x"], 2, "--reason does not belong to"],
    [["workers", "quarantine", "w"], 2, "takes --reason TEXT"],
    [
      ["workers", "quarantine", "w", "--reason", "x", "--for", "1y"],
      2,
      "--for 1y: must be a while",
    ],
    [["workers", "--state", "tired"], 2, "--state tired: must be starting, ready"],
    [["pool", "set", "default"], 2, "at least one of --speculate-after, --min, --max, --paused"],
    [["pool", "set", "default", "--min", "10001"], 2, "--min 10001: must be auto, or from 0"],
    [["pool", "get", "default", "--max", "1"], 2, "pool set, and only it"],
    [["queue", "--projects", "101"], 2, "--projects 101: must be a whole number from 1 to 100"],
    [["top", "--once", "--address", "127.0.0.1:1"], 1, "127.0.0.1:1"],
    [["project", "set", "default"], 2, "at least one of --weight"],
    [["render", "x", "--address", "127.0.0.1:1"], 1, "127.0.0.1:1"],
    [["up", "--workers", "0"], 2, "--workers 0: must be a whole number from 1"],
  ])("%j exits with %i and says why", (args, code, text) => {
    const run = zfarm(args);

    expect(run.notes).toContain(text);
    expect(run.code).toBe(code);
    expect(run.lines).toEqual([""]);
  });

  test("doctor names what it found", () => {
    const run = zfarm(["doctor"]);

    expect(run.code).toBe(0);
    for (const subject of ["node", "broker", "store", "model", "device"]) {
      expect(run.lines.some((line) => line.startsWith(subject))).toBe(true);
    }
  });

  test("doctor says how the released model would be held, here and on cards", () => {
    const { lines } = zfarm(["doctor"]);

    for (const mode of ["fp32", "int8", "int4", "bf16"]) {
      expect(lines.some((line) => line.startsWith(`${mode} `))).toBe(true);
    }
    expect(lines).toContain("on cuda: 8 GiB int8, 12 GiB int8, 16 GiB bf16, 24 GiB bf16");
  });

  test("doctor says which library keeps a worker from using a graphics card", () => {
    const devices = zfarm(["doctor"]).lines.filter((line) => line.startsWith("device"));

    expect(devices[0]).toMatch(/^device +ok +cpu/);
    expect(devices[1]).toMatch(/^device +(ok +cuda: |no +cuda: lib\S+ is missing$)/);
    expect(devices[2]).toMatch(/^device +(ok|no) +webgpu, an experiment: (an adapter|lib|no )/);
    expect(devices).toHaveLength(3);
  });
});
