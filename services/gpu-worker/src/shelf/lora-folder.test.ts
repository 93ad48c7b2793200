import { chmod, mkdtemp, readdir, rm, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { limits } from "@zfarm/contract";
import { systemClock } from "@zfarm/runtime";
import { afterEach, beforeEach, expect, test } from "vitest";
import { LoraFolder } from "./lora-folder.ts";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "zfarm-loras-"));
});
afterEach(() => rm(folder, { recursive: true }));

test("of two files that come at once, one gets the room that a third leaves", async () => {
  const [old = "", ...digests] = ["c", "a", "b"].map((letter) => letter.repeat(64));
  await writeFile(join(folder, `${old}.safetensors`), new Uint8Array(40));
  const opened = await LoraFolder.open({ folder, bytesMax: 60, clock: systemClock });
  const write = async (draft: string) => {
    await writeFile(draft, new Uint8Array(40));
    return { isWhole: true };
  };
  const needs = { isNeeded: (digest: string) => digest !== old, isKept: () => false, write };

  const adding = digests.map((digest) => opened.add({ digest, bytes: 40 }, needs));

  expect(await Promise.all(adding)).toEqual([{ isWhole: true }, undefined]);
  expect(await readdir(folder)).toEqual([`${digests[0]}.safetensors`]);
  expect(opened.bytes).toBe(40);
});

test("drafts of workers that are gone are removed, those of others stay", async () => {
  const age = (ms: number): Date => new Date(systemClock.now() - ms);
  for (const [name, ms] of [
    ["gone.draft", limits.loraDraftMs + 60_000],
    ["writing.draft", limits.loraDraftMs - 60_000],
  ] as const) {
    await writeFile(join(folder, name), new Uint8Array(1));
    await utimes(join(folder, name), age(ms), age(ms));
  }

  await LoraFolder.open({ folder, bytesMax: 60, clock: systemClock });

  expect(await readdir(folder)).toEqual(["writing.draft"]);
});

test("a folder that others may write to is refused where nobody chose it", async () => {
  const open = (path: string, mustBeOwn: boolean): Promise<LoraFolder> =>
    LoraFolder.open({ folder: path, bytesMax: 60, clock: systemClock, mustBeOwn });
  await symlink(folder, join(folder, "link"));
  await open(join(folder, "fresh"), true);

  expect((await stat(join(folder, "fresh"))).mode & 0o777).toBe(0o700);
  await expect(open(join(folder, "link"), true)).rejects.toThrow("WORKER_LORA_DIR");
  await chmod(folder, 0o777);
  await expect(open(folder, true)).rejects.toThrow("others may write to the folder of adapters");
  await expect(open(folder, false)).resolves.toBeDefined();
});
