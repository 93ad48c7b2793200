import { mkdtemp, open, rename, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { writeTinyModel } from "../../test/tiny-model.ts";
import { openModelDirectory } from "../model/open-model-directory.ts";
import { digestFile } from "./digest-file.ts";
import { examineWeights } from "./examine-weights.ts";
import { prepareModel } from "./prepare-model.ts";

const vaeFile = "vae/diffusion_pytorch_model.safetensors";
let folder: string;
let model: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "examine-"));
  model = await mkdtemp(join(folder, "tiny-"));
  await writeTinyModel(model);
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

async function overwrite(path: string, offset: number, bytes: Uint8Array): Promise<void> {
  const handle = await open(path, "r+");
  await handle.write(bytes, 0, bytes.length, offset);
  await handle.close();
}

describe("examineWeights", () => {
  it("gives the digest of every file of weights", async () => {
    const digests = await examineWeights(await openModelDirectory(model));

    expect(digests.map(({ name }) => name)).toEqual([
      "transformer/diffusion_pytorch_model.safetensors",
      "text_encoder/model.safetensors",
      vaeFile,
    ]);
    expect(digests[2]).toMatchObject({
      sha256: await digestFile(join(model, vaeFile)),
      confirmedBy: undefined,
    });
  });

  it("names the tensor that has a value that is not finite", async () => {
    const opened = await openModelDirectory(model);
    const tensor = opened.vae.tensors.tensors.get("decoder.conv_in.bias");
    const infinite = new Uint8Array(Float32Array.of(Number.POSITIVE_INFINITY).buffer);
    await overwrite(join(model, vaeFile), (tensor?.offset ?? 0) + 8, infinite);

    await expect(examineWeights(opened)).rejects.toEqual(
      expect.objectContaining({ code: "MODEL_INVALID", field: "decoder.conv_in.bias" }),
    );
  });

  it("compares prepared files with their record", async () => {
    const out = join(folder, "prepared");
    await prepareModel(model, { mode: "int4", out });
    const opened = await openModelDirectory(out);
    expect((await examineWeights(opened))[0]?.confirmedBy).toBe("zfarm.json");
    const level = opened.transformer.tensors.tensors.get("layers.0.attention.to_q.weight.q");
    const path = join(out, "transformer/diffusion_pytorch_model.safetensors");
    await overwrite(path, level?.offset ?? 0, Uint8Array.of(1, 2, 3));

    await expect(examineWeights(opened)).rejects.toThrow(/has the SHA-256 .*; expected/);
  });

  it("compares files of a Hugging Face cache with their names", async () => {
    const path = join(model, vaeFile);
    const blob = join(folder, await digestFile(path));
    await rename(path, blob);
    await symlink(blob, path);
    const opened = await openModelDirectory(model);

    expect((await examineWeights(opened))[2]?.confirmedBy).toBe("the cache's name");
  });

  it("stops when it is told to", async () => {
    const opened = await openModelDirectory(model);

    await expect(examineWeights(opened, { signal: AbortSignal.abort() })).rejects.toThrow("abort");
  });
});
