/** What each form of weights does to the model that ships: error of its parts against float32. */
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ModelDirectory, openModelDirectory } from "../src/model/open-model-directory.ts";
import { openTextEncoder } from "../src/networks/text-encoder.ts";
import { openTransformer } from "../src/networks/transformer.ts";
import { openPromptEncoder } from "../src/prompt/prompt-encoder.ts";
import type { PreparedMode } from "../src/weights/prepared-format.ts";
import type { TensorIndex } from "../src/weights/tensor-index.ts";
import type { Checkpoint } from "./filled-checkpoint.ts";
import { fillInput } from "./hash-filler.ts";
import { writePrepared } from "./prepared-checkpoint.ts";
import { relativeError } from "./relative-error.ts";

const nano = join(import.meta.dirname, "../../../models/z-image-nano");
const prompt = "a red square on the left of a blue circle";

let model: ModelDirectory;
let ids: Int32Array;
let captions: Float32Array;
let velocities: Float32Array[];

beforeAll(async () => {
  model = await openModelDirectory(nano);
  ids = (await openPromptEncoder(model.tokenizerFolder, 128)).encode(prompt);
  captions = await encode(model.textEncoder.tensors);
  velocities = await predict(model.transformer.tensors);
});

async function encode(tensors: TensorIndex): Promise<Float32Array> {
  const encoder = await openTextEncoder(model.textEncoder.config, tensors, { threads: 2 });
  const [states] = await encoder.encode([ids]);
  await encoder.close();
  return states ?? new Float32Array();
}

/** At the beginning, in the middle and near the end of a picture. */
async function predict(tensors: TensorIndex): Promise<Float32Array[]> {
  const transformer = await openTransformer(model.transformer.config, tensors, { threads: 2 });
  const times = [0, 0.3, 0.7];
  const outputs = await transformer.predict({
    height: 16,
    width: 16,
    latents: times.map(() => fillInput("latent", 16 * 16 * 16)),
    captions: times.map(() => ({ data: captions, length: ids.length })),
    times,
  });
  await transformer.close();
  return outputs;
}

describe.each<{ weights: PreparedMode; encoderMax: number; transformerMax: number }>([
  { weights: "bf16", encoderMax: 1e-6, transformerMax: 1e-6 },
  { weights: "int8", encoderMax: 0.02, transformerMax: 0.02 },
  { weights: "int4", encoderMax: 0.1, transformerMax: 0.15 },
])("in $weights", ({ weights, encoderMax, transformerMax }) => {
  let prepared: Record<"textEncoder" | "transformer", Checkpoint>;

  beforeAll(async () => {
    prepared = {
      textEncoder: await writePrepared(model.textEncoder.tensors, weights),
      transformer: await writePrepared(model.transformer.tensors, weights),
    };
  });

  afterAll(async () => {
    for (const checkpoint of Object.values(prepared)) await checkpoint[Symbol.asyncDispose]();
  });

  test("captions are close to those of float32", async () => {
    const error = relativeError(await encode(prepared.textEncoder.index), captions);
    expect(error).toBeLessThan(encoderMax);
  });

  test("predictions are close to those of float32 at any time", async () => {
    const outputs = await predict(prepared.transformer.index);
    const errors = outputs.map((output, at) => relativeError(output, velocities[at]));
    expect(Math.max(...errors)).toBeLessThan(transformerMax);
  });
});
