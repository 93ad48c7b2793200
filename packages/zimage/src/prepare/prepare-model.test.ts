import { appendFile, mkdtemp, open, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { readTensor, writeSingleFileModel } from "../../test/single-file-model.ts";
import { writeTinyModel } from "../../test/tiny-model.ts";
import { openModelDirectory } from "../model/open-model-directory.ts";
import type { PreparedMode } from "../weights/prepared-format.ts";
import { blockLayout, preparedModes } from "../weights/prepared-format.ts";
import { dequantizeRows, widenElements } from "../weights/quantize.ts";
import { digestFile } from "./digest-file.ts";
import { checkRoom, prepareModel } from "./prepare-model.ts";

const linear = "layers.1.feed_forward.w2.weight";
let source: string;
let folder: string;
let out: string;

beforeAll(async () => {
  source = await mkdtemp(join(tmpdir(), "tiny-model-"));
  await writeTinyModel(source);
});
afterAll(async () => {
  await rm(source, { recursive: true });
});
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "prepare-"));
  out = join(folder, "prepared");
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

/** A weight's values as float32, from either kind of directory. */
async function valuesOf(directory: string, name: string): Promise<Float32Array> {
  const { transformer, prepared } = await openModelDirectory(directory);
  const index = transformer.tensors;
  const plain = index.tensors.get(name);
  if (plain !== undefined) {
    return widenElements(await readTensor(index, name), plain.dtype).slice();
  }
  const [rows = 0, columns = 0] = (
    await openModelDirectory(source)
  ).transformer.tensors.tensors.get(name)?.shape ?? [0, 0];
  const layout = blockLayout([rows, columns], prepared?.weights === "int4" ? 4 : 8);
  const scales = widenElements(await readTensor(index, `${name}.scale`), "F32");
  return dequantizeRows(
    { levels: await readTensor(index, `${name}.q`), scales, notFiniteAt: -1 },
    layout,
  );
}

function relativeError(values: Float32Array, other: Float32Array): number {
  const square = (sum: number, value: number) => sum + value * value;
  const error = values.map((value, at) => value - (other[at] ?? 0)).reduce(square, 0);
  return Math.sqrt(error / values.reduce(square, 0));
}

describe("prepareModel", () => {
  it.each<[PreparedMode, number]>([
    ["bf16", 0.004],
    ["int8", 0.006],
    ["int4", 0.11],
  ])("in %s keeps the weights within %f of the source", async (mode, bound) => {
    const report = await prepareModel(source, { mode, out });

    const model = await openModelDirectory(out);
    const wanted = await valuesOf(source, linear);
    expect(model.stored).toBe(mode === "bf16" ? "BF16" : mode);
    expect(model.digest).toBe(report.digest);
    expect(model.prepared?.source).toEqual({
      name: model.prepared?.source.name,
      digest: (await openModelDirectory(source)).digest,
    });
    expect(relativeError(wanted, await valuesOf(out, linear))).toBeLessThan(bound);
  });

  it("leaves norms and embedders as they are, except in bf16", async () => {
    await prepareModel(source, { mode: "int4", out });

    const name = "layers.0.adaLN_modulation.0.weight";
    expect(await valuesOf(out, name)).toEqual(await valuesOf(source, name));
  });

  it("gives the same bytes whatever the number of threads", async () => {
    const other = join(folder, "other");
    const one = await prepareModel(source, { mode: "int8", out, threads: 1 });
    const two = await prepareModel(source, { mode: "int8", out: other, threads: 2 });

    expect(one.digest).toBe(two.digest);
  });

  it("writes the record's digests of what lies on disk", async () => {
    await prepareModel(source, { mode: "int4", out });

    const { prepared } = await openModelDirectory(out);
    const names = Object.keys(prepared?.files ?? {});
    expect(names).toContain("vae/diffusion_pytorch_model.safetensors");
    for (const name of names) {
      expect(prepared?.files[name]?.sha256).toBe(await digestFile(join(out, name)));
    }
  });

  it("makes of single files what it makes of the directory", async () => {
    const single = join(folder, "single");
    await writeSingleFileModel(source, single);
    const other = join(folder, "other");

    await prepareModel(single, { mode: "int4", out });
    await prepareModel(source, { mode: "int4", out: other });

    const file = "transformer/diffusion_pytorch_model.safetensors";
    const tensor = `${linear}.q`;
    const [one, two] = [await openModelDirectory(out), await openModelDirectory(other)];
    expect(await readTensor(one.transformer.tensors, tensor)).toEqual(
      await readTensor(two.transformer.tensors, tensor),
    );
    expect((await readFile(join(out, file))).length).toBe(
      (await readFile(join(other, file))).length,
    );
  });

  it("reports bytes until all are done", async () => {
    const seen: number[] = [];

    const { bytes } = await prepareModel(source, {
      mode: "int4",
      out,
      onProgress: ({ stage, doneBytes }) => stage === "verify" && seen.push(doneBytes),
    });

    expect(seen.at(-1)).toBe(bytes);
  });
});

describe("a preparation that was stopped", () => {
  /** Stops after a third of the bytes. */
  async function stopEarly(): Promise<void> {
    const stop = new AbortController();
    const run = prepareModel(source, {
      mode: "int4",
      out,
      threads: 1,
      signal: stop.signal,
      onProgress: ({ doneBytes, totalBytes }) => {
        if (doneBytes > totalBytes / 3) stop.abort();
      },
    });
    await expect(run).rejects.toThrow("aborted");
  }

  it("leaves nothing under the output's name", async () => {
    await stopEarly();

    await expect(openModelDirectory(out)).rejects.toThrow("is missing");
  });

  it("goes on where it was and ends with the same bytes", async () => {
    await stopEarly();
    const resumed = await prepareModel(source, { mode: "int4", out });
    const whole = await prepareModel(source, { mode: "int4", out: join(folder, "whole") });

    expect(resumed.resumedBytes).toBeGreaterThan(0);
    expect(resumed.digest).toBe(whole.digest);
  });

  it("believes no line of the journal whose bytes are not there", async () => {
    await stopEarly();
    const file = `${out}.partial/transformer/diffusion_pytorch_model.safetensors`;
    const handle = await open(file, "r+");
    await handle.write(Buffer.alloc(2_000, 7), 0, 2_000, 20_000);
    await handle.close();
    await appendFile(`${out}.partial/prepare.journal`, "12 cut off");

    const resumed = await prepareModel(source, { mode: "int4", out });
    const whole = await prepareModel(source, { mode: "int4", out: join(folder, "whole") });

    expect(resumed.digest).toBe(whole.digest);
  });

  it("begins anew for another mode", async () => {
    await stopEarly();

    const { resumedBytes } = await prepareModel(source, { mode: "int8", out });

    expect(resumedBytes).toBe(0);
    expect((await openModelDirectory(out)).stored).toBe("int8");
  });
});

describe("refusals of a preparation", () => {
  it("says how much room is needed and how much there is", async () => {
    await expect(checkRoom(folder, [{ name: "weights", length: 1e15 }])).rejects.toEqual(
      expect.objectContaining({
        code: "INPUT_INVALID",
        field: "out",
        message: expect.stringMatching(/has \d+ bytes free; 1000000067108864 are needed/),
      }),
    );
  });

  it("does not write over what is there", async () => {
    await prepareModel(source, { mode: "int4", out });

    await expect(prepareModel(source, { mode: "int4", out })).rejects.toEqual(
      expect.objectContaining({ code: "INPUT_INVALID", field: "out" }),
    );
  });

  it.each(preparedModes)("does not prepare what was prepared in %s", async (mode) => {
    await prepareModel(source, { mode, out });

    await expect(prepareModel(out, { mode: "int8", out: join(folder, "twice") })).rejects.toThrow(
      `prepared already, in ${mode}`,
    );
  });

  it("names the tensor with a value that is not finite", async () => {
    const model = join(folder, "bad");
    await writeSingleFileModel(source, model, { root: "" });
    const { transformer } = await openModelDirectory(model);
    const tensor = transformer.tensors.tensors.get(linear);
    const path = join(transformer.tensors.folder, tensor?.file ?? "");
    const handle = await open(path, "r+");
    await handle.write(new Uint8Array(Float32Array.of(Number.NaN).buffer), 0, 4, tensor?.offset);
    await handle.close();

    await expect(prepareModel(model, { mode: "int4", out })).rejects.toEqual(
      expect.objectContaining({ code: "MODEL_INVALID", file: path, field: linear }),
    );
    expect(await readdir(folder)).toEqual(["bad"]);
  });

  it("refuses a record it does not know", async () => {
    await prepareModel(source, { mode: "int4", out });
    const record = JSON.parse(await readFile(join(out, "zfarm.json"), "utf8")) as object;
    await writeFile(join(out, "zfarm.json"), JSON.stringify({ ...record, version: 2 }));

    await expect(openModelDirectory(out)).rejects.toEqual(
      expect.objectContaining({ code: "MODEL_INVALID", field: "version" }),
    );
  });
});
