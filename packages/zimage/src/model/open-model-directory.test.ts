import {
  appendFile,
  cp,
  mkdir,
  mkdtemp,
  open,
  readFile,
  rename,
  rm,
  symlink,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { frameHeader, writeFilledSafetensors } from "../../test/safetensors-writer.ts";
import {
  tinyTransformerFile,
  tinyVaeFile,
  writeJson,
  writeTinyModel,
} from "../../test/tiny-model.ts";
import { describeModel } from "../pipeline/model-info.ts";
import { readSafetensorsHeader } from "../weights/safetensors-header.ts";
import { parseTransformerConfig } from "./config-files.ts";
import { expectedTransformerTensors } from "./expected-tensors.ts";
import { digestSamples } from "./model-digest.ts";
import { openModelDirectory } from "./open-model-directory.ts";

const weightsFile = "transformer/diffusion_pytorch_model.safetensors";
const indexFile = `${weightsFile}.index.json`;
let original: string;
let folder: string;
let model: string;

beforeAll(async () => {
  original = await mkdtemp(join(tmpdir(), "tiny-model-"));
  await writeTinyModel(original);
});
afterAll(async () => {
  await rm(original, { recursive: true });
});
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "open-model-"));
  model = join(folder, "tiny");
  await cp(original, model, { recursive: true });
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

const refusal = (file: string, field?: string): unknown =>
  expect.objectContaining({
    code: "MODEL_INVALID",
    file: join(model, file),
    ...(field !== undefined && { field }),
  });

/** Writes the tiny transformer as two shards and their index; gives the names of the shards. */
async function shardTransformer(): Promise<[string, string]> {
  const config = parseTransformerConfig(tinyTransformerFile, "config.json");
  const shapes = [...expectedTransformerTensors(config).required];
  const shards = [
    ["diffusion_pytorch_model-00001-of-00002.safetensors", shapes.slice(0, 40)],
    ["diffusion_pytorch_model-00002-of-00002.safetensors", shapes.slice(40)],
  ] as const;
  await rm(join(model, weightsFile));
  for (const [name, part] of shards) {
    await writeFilledSafetensors(join(model, "transformer", name), new Map(part));
  }
  const entries = shards.flatMap(([shard, part]) => part.map(([name]) => [name, shard] as const));
  await writeJson(model, indexFile, { weight_map: Object.fromEntries(entries) });
  return [shards[0][0], shards[1][0]];
}

describe("openModelDirectory", () => {
  it("finds every tensor of the three components", async () => {
    const { transformer, textEncoder, vae, scheduler, name } = await openModelDirectory(model);

    expect(name).toBe("tiny");
    expect(scheduler.shift).toBe(3);
    expect(transformer.tensors.tensors.size).toBe(73);
    expect(vae.tensors.tensors.get("decoder.conv_in.weight")?.shape).toEqual([64, 16, 3, 3]);
    // The checkpoint's names carry the prefix of the language model.
    expect(textEncoder.tensors.tensors.get("embed_tokens.weight")?.shape).toEqual([512, 32]);
  });

  it("reads a model in shards", async () => {
    const [first, second] = await shardTransformer();

    const { transformer } = await openModelDirectory(model);

    expect(transformer.tensors.folder).toBe(join(model, "transformer"));
    const files = new Set([...transformer.tensors.tensors.values()].map((tensor) => tensor.file));
    expect([...files].toSorted()).toEqual([first, second]);
  });

  it("follows the links of a Hugging Face cache to the folder of the real files", async () => {
    const plain = await openModelDirectory(model);
    const snapshot = await linkAsCache();

    const cached = await openModelDirectory(snapshot);

    expect(cached.name).toBe("owner/tiny");
    expect(cached.transformer.tensors.folder).toBe(join(snapshot, "../../blobs"));
    expect(cached.digest).toBe(plain.digest);
  });

  /** Moves all files to `blobs` under other names, with relative links where they had been. */
  async function linkAsCache(): Promise<string> {
    const repository = join(folder, "models--owner--tiny");
    const snapshot = join(repository, "snapshots/0123abc");
    await mkdir(join(repository, "blobs"), { recursive: true });
    await mkdir(dirname(snapshot), { recursive: true });
    await rename(model, snapshot);
    const { transformer, textEncoder, vae } = await openModelDirectory(snapshot);
    for (const { tensors } of [transformer, textEncoder, vae]) {
      const [tensor] = tensors.tensors.values();
      const path = join(tensors.folder, tensor?.file ?? "");
      const blob = join(repository, "blobs", path.replaceAll(/[^a-z]/g, "").slice(-40));
      await rename(path, blob);
      await symlink(relative(dirname(path), blob), path);
    }
    return snapshot;
  }
});

describe("refusals of a model directory", () => {
  it.each([
    "model_index.json",
    "scheduler/scheduler_config.json",
    "transformer/config.json",
    "text_encoder/config.json",
    "vae/config.json",
    "tokenizer/tokenizer.json",
    weightsFile,
    "text_encoder/model.safetensors",
    "vae/diffusion_pytorch_model.safetensors",
  ])("names the missing %s", async (file) => {
    await rm(join(model, file));

    await expect(openModelDirectory(model)).rejects.toEqual(refusal(file));
  });

  it("names a directory that does not exist", async () => {
    await rm(model, { recursive: true });

    await expect(openModelDirectory(model)).rejects.toEqual(refusal(""));
  });

  it("names a file that is not JSON", async () => {
    await appendFile(join(model, "vae/config.json"), "}");

    await expect(openModelDirectory(model)).rejects.toEqual(refusal("vae/config.json"));
  });

  it("names the truncated shard of a download", async () => {
    const [, second] = await shardTransformer();
    const handle = await open(join(model, "transformer", second), "r+");
    await handle.truncate(20_000);
    await handle.close();

    await expect(openModelDirectory(model)).rejects.toEqual(refusal(`transformer/${second}`));
  });

  it("names the shard that is missing", async () => {
    const [first] = await shardTransformer();
    await rm(join(model, "transformer", first));

    await expect(openModelDirectory(model)).rejects.toEqual(refusal(`transformer/${first}`));
  });

  it("names a tensor that the index promises and the shard lacks", async () => {
    const [first] = await shardTransformer();
    const shard = join(model, "transformer", first);
    const { tensors } = await readSafetensorsHeader(shard);
    const without = tensors.slice(1).map(({ name, shape }) => [name, shape] as const);
    await writeFilledSafetensors(shard, new Map(without));

    await expect(openModelDirectory(model)).rejects.toEqual(
      refusal(`transformer/${first}`, tensors[0]?.name),
    );
  });

  it("does not follow an index out of the component's folder", async () => {
    const weight_map = { x_pad_token: "../vae/diffusion_pytorch_model.safetensors" };
    await writeJson(model, indexFile, { weight_map });

    await expect(openModelDirectory(model)).rejects.toEqual(
      refusal(indexFile, "weight_map.x_pad_token"),
    );
  });

  it("names the tensor whose shape does not fit the configuration", async () => {
    await writeJson(model, "transformer/config.json", {
      ...tinyTransformerFile,
      in_channels: 16,
      t_scale: 1,
      dim: 64,
      n_heads: 4,
    });

    await expect(openModelDirectory(model)).rejects.toEqual(refusal(weightsFile, "x_pad_token"));
  });

  it("names the first tensor of a layer that is missing", async () => {
    await writeJson(model, "transformer/config.json", { ...tinyTransformerFile, n_layers: 3 });

    await expect(openModelDirectory(model)).rejects.toEqual(
      refusal(weightsFile, "layers.2.attention.to_q.weight"),
    );
  });

  it("names a tensor that the configuration does not know", async () => {
    await writeJson(model, "transformer/config.json", { ...tinyTransformerFile, n_layers: 1 });

    await expect(openModelDirectory(model)).rejects.toEqual(
      refusal(weightsFile, "layers.1.attention.to_q.weight"),
    );
  });

  it("trap 20: refuses a checkpoint with an adapter's tensors in it", async () => {
    const config = parseTransformerConfig(tinyTransformerFile, "config.json");
    const { required } = expectedTransformerTensors(config);
    const stray = "layers.0.attention.to_q.lora_A.weight";
    await writeFilledSafetensors(
      join(model, weightsFile),
      new Map([...required, [stray, [4, 32]]]),
    );

    await expect(openModelDirectory(model)).rejects.toEqual(refusal(weightsFile, stray));
  });

  it("names the field in which two components disagree", async () => {
    await writeJson(model, "vae/config.json", { ...tinyVaeFile, latent_channels: 8 });

    await expect(openModelDirectory(model)).rejects.toEqual(
      refusal("transformer/config.json", "in_channels"),
    );
  });

  it("refuses a pickled checkpoint, whatever its name", async () => {
    const handle = await open(join(model, weightsFile), "w");
    await handle.write(frameHeader("\u0080\u0002}q"));
    await handle.close();

    await expect(openModelDirectory(model)).rejects.toEqual(refusal(weightsFile));
  });
});

describe("digest of a model", () => {
  it("stays when the directory moves", async () => {
    const { digest } = await openModelDirectory(model);
    await rename(model, join(folder, "elsewhere"));

    expect((await openModelDirectory(join(folder, "elsewhere"))).digest).toBe(digest);
    expect(digest).toMatch(/^[0-9a-f]{64}$/);
  });

  it("changes with one bit of a weight", async () => {
    const { digest } = await openModelDirectory(model);
    await flipByte(100_000);

    expect((await openModelDirectory(model)).digest).not.toBe(digest);
  });

  it("changes with a configuration", async () => {
    const { digest } = await openModelDirectory(model);
    await writeJson(model, "vae/config.json", { ...tinyVaeFile, shift_factor: 0.5 });

    expect((await openModelDirectory(model)).digest).not.toBe(digest);
  });

  it("of a large file sees both ends of every tensor", async () => {
    const path = join(model, weightsFile);
    const header = await readSafetensorsHeader(path);
    const before = await digestSamples({ path, header });
    const largest = header.tensors.toSorted((a, b) => b.length - a.length)[0];
    await flipByte((largest?.offset ?? 0) + (largest?.length ?? 0) - 1);

    expect(await digestSamples({ path, header })).not.toBe(before);
  });

  async function flipByte(position: number): Promise<void> {
    const handle = await open(join(model, weightsFile), "r+");
    const byte = Buffer.alloc(1);
    await handle.read(byte, 0, 1, position);
    byte[0] = (byte[0] ?? 0) ^ 1;
    await handle.write(byte, 0, 1, position);
    await handle.close();
  }
});

describe("describeModel", () => {
  it("derives bounds and defaults from the configuration", async () => {
    expect(describeModel(await openModelDirectory(model))).toMatchObject({
      name: "tiny",
      sizeMultiple: 4,
      pixelsMax: 4 * 32 * 32,
      sideMax: 32 * 4,
      // 256 positions less two, in whole blocks of 32.
      tokensMax: 224,
      stepsDefault: 8,
      widthDefault: 32,
      heightDefault: 32,
    });
  });

  it("takes 1024 pixels where the autoencoder does not tell its size", async () => {
    const { sample_size: _, ...without } = tinyVaeFile;
    await writeJson(model, "vae/config.json", without);
    const wide = { ...tinyTransformerFile, axes_lens: [1536, 512, 512] };
    await writeJson(model, "transformer/config.json", wide);

    expect(describeModel(await openModelDirectory(model))).toMatchObject({
      widthDefault: 1024,
      pixelsMax: 4_194_304,
      sideMax: 2048,
      tokensMax: 512,
    });
  });
});

describe("members of the family", () => {
  it.each([
    [3, 8, undefined],
    [6, 50, 4],
    [4, 8, undefined],
  ])("of shift %d draw in %d steps with a guidance of %s", async (shift, steps, guidance) => {
    const file = "scheduler/scheduler_config.json";
    const settings = JSON.parse(await readFile(join(model, file), "utf8")) as object;
    await writeJson(model, file, { ...settings, shift });

    const { stepsDefault, guidanceDefault } = describeModel(await openModelDirectory(model));

    expect([stepsDefault, guidanceDefault]).toEqual([steps, guidance]);
  });
});
