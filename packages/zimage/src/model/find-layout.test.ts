import { cp, mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { readTensor, writeSingleFileModel } from "../../test/single-file-model.ts";
import { writeTinyModel } from "../../test/tiny-model.ts";
import { openPipeline } from "../pipeline/open-pipeline.ts";
import type { TensorIndex } from "../weights/tensor-index.ts";
import { openModelDirectory } from "./open-model-directory.ts";

let original: string;
let folder: string;

beforeAll(async () => {
  original = await mkdtemp(join(tmpdir(), "tiny-model-"));
  await writeTinyModel(original);
});
afterAll(async () => {
  await rm(original, { recursive: true });
});
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "layout-"));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

/** Every tensor's bytes, by name. */
async function contentOf(index: TensorIndex): Promise<Map<string, Buffer>> {
  const names = [...index.tensors.keys()].toSorted();
  return new Map(
    await Promise.all(names.map(async (name) => [name, await readTensor(index, name)] as const)),
  );
}

describe("a model in single files", () => {
  const layouts = [
    ["under split_files", { root: "split_files" }],
    ["in ComfyUI's own folders", { root: "" }],
    ["with a prefix before its names", { prefix: "model.diffusion_model." }],
  ] as const;

  it.each(layouts)("%s holds the tensors of the directory, in place", async (_, options) => {
    const target = join(folder, "comfyui");
    await writeSingleFileModel(original, target, options);

    const single = await openModelDirectory(target);
    const plain = await openModelDirectory(original);

    expect(single.layout).toBe("comfyui");
    for (const part of ["transformer", "textEncoder", "vae"] as const) {
      expect(await contentOf(single[part].tensors)).toEqual(await contentOf(plain[part].tensors));
    }
  });

  it("draws the same pixels as the directory", async () => {
    const target = join(folder, "comfyui");
    await writeSingleFileModel(original, target);
    const spec = { prompt: "a house", width: 32, height: 24, steps: 2, seed: 7n };
    const draw = async (directory: string) => {
      const pipeline = await openPipeline(directory, { threads: 1 });
      const pixels = await pipeline.render(spec);
      await pipeline.close();
      return pixels;
    };

    expect(await draw(target)).toEqual(await draw(original));
  });

  it("is found by the transformer's file where there are several", async () => {
    const target = join(folder, "comfyui");
    await writeSingleFileModel(original, target);
    const models = join(target, "split_files/diffusion_models");
    const file = join(models, "z_image_turbo_bf16.safetensors");
    await cp(file, join(models, "another.safetensors"));

    await expect(openModelDirectory(target)).rejects.toThrow(/several.*name the file: .*another/);
    expect((await openModelDirectory(file)).path).toBe(target);
  });

  it("passes over files of other models", async () => {
    const target = join(folder, "comfyui");
    await writeSingleFileModel(original, target);
    await writeFile(join(target, "split_files/vae/broken.safetensors"), "nothing");

    expect((await openModelDirectory(target)).layout).toBe("comfyui");
  });

  it.each([
    ["text_encoders/qwen_3_4b.safetensors", "no file of a fitting text encoder"],
    ["vae/ae.safetensors", "no file of a fitting autoencoder"],
  ])("names the part that is missing without %s", async (file, message) => {
    const target = join(folder, "comfyui");
    await writeSingleFileModel(original, target);
    await rm(join(target, "split_files", file));

    await expect(openModelDirectory(target)).rejects.toThrow(message);
  });

  it.each([
    ["z_image_turbo_bf16.safetensors", 3],
    ["z_image_bf16.safetensors", 6],
  ])("takes the shift of the member that %s is named after", async (transformerFile, shift) => {
    const target = join(folder, "comfyui");
    await writeSingleFileModel(original, target, { transformerFile });
    await rm(join(target, "scheduler"), { recursive: true });

    expect((await openModelDirectory(target)).scheduler.shift).toBe(shift);
  });

  it("does not guess the member from a name that says nothing", async () => {
    const target = join(folder, "comfyui");
    await writeSingleFileModel(original, target, { transformerFile: "mine.safetensors" });
    await rm(join(target, "scheduler"), { recursive: true });

    await expect(openModelDirectory(target)).rejects.toThrow(
      /mine.safetensors: its name says neither turbo nor base/,
    );
  });

  it("says where the tokenizer must be copied to", async () => {
    const target = join(folder, "comfyui");
    await writeSingleFileModel(original, target);
    await rm(join(target, "tokenizer"), { recursive: true });

    await expect(openModelDirectory(target)).rejects.toThrow(
      /tokenizer\/tokenizer.json is missing: single files come without it/,
    );
  });
});

describe("a model in a Hugging Face cache", () => {
  async function writeCache(revisions: readonly string[], main?: string): Promise<string> {
    const repository = join(folder, "models--owner--tiny");
    for (const revision of revisions) {
      await mkdir(join(repository, "snapshots"), { recursive: true });
      await cp(original, join(repository, "snapshots", revision), { recursive: true });
    }
    if (main !== undefined) {
      await mkdir(join(repository, "refs"));
      await writeFile(join(repository, "refs/main"), main);
    }
    return repository;
  }

  it("is found by the directory of the repository", async () => {
    const repository = await writeCache(["aaa", "bbb"], "bbb");

    const model = await openModelDirectory(repository);

    expect(model.name).toBe("owner/tiny");
    expect(model.path).toBe(join(repository, "snapshots/bbb"));
  });

  it("takes the only snapshot where no reference says which", async () => {
    const repository = await writeCache(["aaa"]);

    expect((await openModelDirectory(repository)).path).toBe(join(repository, "snapshots/aaa"));
  });

  it("asks which snapshot where there are several", async () => {
    const repository = await writeCache(["aaa", "bbb"]);

    await expect(openModelDirectory(repository)).rejects.toThrow("There are: aaa, bbb");
  });

  it("asks for the download where the reference points to nothing", async () => {
    const repository = await writeCache(["aaa"], "ccc");
    await rename(join(repository, "snapshots/aaa"), join(repository, "snapshots/ddd"));

    await expect(openModelDirectory(repository)).rejects.toThrow("which snapshot?");
  });
});
