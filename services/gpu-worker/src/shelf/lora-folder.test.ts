import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
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
