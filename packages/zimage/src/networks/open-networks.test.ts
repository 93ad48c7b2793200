import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { expectSameBits } from "../../test/expect-tensor.ts";
import { fillInput } from "../../test/hash-filler.ts";
import { writeTinyModel } from "../../test/tiny-model.ts";
import { type ModelDirectory, openModelDirectory } from "../model/open-model-directory.ts";
import { type Networks, openNetworks } from "./open-networks.ts";

let folder: string;
let model: ModelDirectory;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiny-model-"));
  await writeTinyModel(folder);
  model = await openModelDirectory(folder);
});

afterAll(() => rm(folder, { recursive: true }));

/** A prompt, a step, another prompt and another step: networks in turn have to be opened again. */
async function useAll(networks: Networks): Promise<Float32Array[]> {
  const results: Float32Array[] = [];
  for (const id of [1, 2]) {
    const [data = new Float32Array()] = await networks.textEncoder.encode([Int32Array.of(id, 3)]);
    const [velocity] = await networks.transformer.predict({
      height: 8,
      width: 8,
      latents: [fillInput("latent", 16 * 8 * 8)],
      captions: [{ data, length: 2 }],
      times: [0.5],
    });
    const latents = [velocity ?? new Float32Array()];
    const [image] = await networks.vaeDecoder.decode({ latents, height: 8, width: 8 });
    results.push(data, latents[0] ?? new Float32Array(), image ?? new Float32Array());
  }
  return results;
}

test.each(["two", "one"] as const)(
  "networks of which %s are open at once give what networks together give",
  async (open) => {
    const together = await openNetworks(model, { threads: 1 });
    const inTurn = await openNetworks(model, { threads: 1, open });
    const wanted = await useAll(together);
    const results = await useAll(inTurn);
    await Promise.all([together.close(), inTurn.close()]);

    for (const [at, result] of results.entries()) expectSameBits(result, wanted[at]);
  },
);

test("what is open at once can change between two uses", async () => {
  const networks = await openNetworks(model, { threads: 1 });
  const before = await useAll(networks);
  networks.keepOpen("one");
  const apart = await useAll(networks);
  networks.keepOpen("all");
  const after = await useAll(networks);
  await networks.close();

  for (const [at, result] of [...apart, ...after].entries()) {
    expectSameBits(result, before[at % before.length]);
  }
});

test("uses at the same time wait for each other, and a failed one holds up none", async () => {
  const networks = await openNetworks(model, { threads: 1, open: "two" });
  const prompts = [5, -1, 6].map((id) => networks.textEncoder.encode([Int32Array.of(id)]));
  const batch = {
    height: 8,
    width: 8,
    latents: [fillInput("latent", 16 * 8 * 8)],
    captions: [{ data: new Float32Array(32), length: 1 }],
    times: [0.5],
  };
  const step = networks.transformer.predict(batch);
  const ends = await Promise.allSettled([...prompts, step]);
  await networks.close();

  expect(ends.map(({ status }) => status)).toEqual([
    "fulfilled",
    "rejected",
    "fulfilled",
    "fulfilled",
  ]);
});
