import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createNoteWriter } from "./farm-note.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "zfarm-note-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const noteOf = (pid: number) => ({
  address: "127.0.0.1:1",
  // Of many lengths, so that two that mix show.
  processes: { gateway: pid, ["worker".padEnd(10 + ((pid * 37) % 90), "-")]: pid },
});

test("notes that come together leave the last one, and each is whole while it stands", async () => {
  const write = createNoteWriter(folder, () => undefined);
  const read = async (): Promise<{ processes: { gateway: number } }> =>
    JSON.parse(await readFile(join(folder, "farm.json"), "utf8"));
  await write(noteOf(0));
  const writing = Array.from({ length: 50 }, (_, index) => write(noteOf(index + 1)));

  for (let look = 0; look < 200; look += 1) expect((await read()).processes).toBeDefined();
  await Promise.all(writing);

  expect((await read()).processes).toEqual(noteOf(50).processes);
});

test("a note that cannot be written is told and stops nothing", async () => {
  const told: string[] = [];
  const write = createNoteWriter(join(folder, "nowhere"), (line) => told.push(line));

  await write(noteOf(1));

  expect(told).toHaveLength(1);
  expect(told[0]).toContain("farm.json is not up to date");
});
