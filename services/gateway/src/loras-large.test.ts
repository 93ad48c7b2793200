/** An adapter as large as real ones are passes the gateway without being in its memory. */
import { createWriteStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { setTimeout as delay } from "node:timers/promises";
import { openDirectoryBlobStore } from "@zfarm/blobs";
import { type LoraArchitecture, type LoraDigest, loraKey } from "@zfarm/contract";
import { afterAll, beforeAll, expect, test } from "vitest";
import { fill, frameHeader, planTensors } from "../test/lora-file.ts";
import { openTestFarm, type TestFarm, testPool } from "../test/test-farm.ts";

/** The released model. */
const full: LoraArchitecture = {
  dim: 3_840,
  layers: 30,
  refinerLayers: 2,
  ffnDim: 10_240,
  modulationDim: 256,
};

let folder = "";
let farm: TestFarm;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "zfarm-large-lora-"));
  farm = await openTestFarm({ blobs: await openDirectoryBlobStore(join(folder, "blobs")) });
  await farm.broker.pools.put({ ...testPool, loraArchitecture: full });
});
afterAll(async () => {
  await farm.stop();
  await rm(folder, { recursive: true, force: true });
});

test("an upload of 190 MB streams: memory does not grow by the file", async () => {
  const path = join(folder, "large.safetensors");
  await pipeline(largeFile, createWriteStream(path));
  const before = process.memoryUsage().rss;
  const peak = watchMemory();

  const told: number[] = [];
  const onProgress = (sent: number): void => void told.push(sent);
  const { version } = await farm.client.loras.upload(path, { lora: "large", onProgress });

  const grownMegabytes = ((await peak.stop()) - before) / 1e6;
  const sizeBytes = Number(version?.report?.fileBytes);
  expect(sizeBytes).toBeGreaterThan(170e6);
  expect(version?.report).toMatchObject({ rankMax: 32, modulesMatched: 270 });
  expect(told.at(-1)).toBe(sizeBytes);
  const digest = version?.sha256 as LoraDigest;
  expect(await farm.blobs.stat(loraKey(digest))).toMatchObject({ sizeBytes });
  // Half of it is the thread of the gate; with the file in memory it was 340.
  expect(grownMegabytes).toBeLessThan(250);
}, 120_000);

async function* largeFile(): AsyncGenerator<Buffer> {
  const tensors = planTensors(full, { rank: 32 });
  yield frameHeader(tensors);
  for (const { shape } of tensors) yield fill(shape[0] * shape[1], 0.01);
}

/** Looks at the process's memory until it is stopped; gives the most that it saw. */
function watchMemory(): { stop(): Promise<number> } {
  const over = new AbortController();
  let most = 0;
  const watching = (async () => {
    while (!over.signal.aborted) {
      most = Math.max(most, process.memoryUsage().rss);
      await delay(10);
    }
    return most;
  })();
  return {
    stop: () => {
      over.abort();
      return watching;
    },
  };
}
