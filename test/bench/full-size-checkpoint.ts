/**
 * A model directory of the released size with made-up weights, written fast: for measurements at
 * full size where no released weights are at hand. It draws noise, through the same code as a real
 * one.
 *
 *     node test/bench/full-size-checkpoint.ts DIR fp32|bf16|int8|int4 [--sparse]
 */
import { createHash } from "node:crypto";
import { cp, mkdir, open, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import {
  configFilesOf,
  encodeSafetensorsHeader,
  expectedTextEncoderTensors,
  expectedTransformerTensors,
  expectedVaeTensors,
  preparedBlockSize,
  preparedRecordFile,
  preparedTensors,
  releasedTextEncoder,
  releasedTransformer,
  releasedVae,
  type TensorShape,
  type TransformerConfig,
  type WeightMode,
} from "@zfarm/zimage";
import { WeightPool } from "./weight-pool.ts";

export interface FullSizeOptions {
  readonly weights: WeightMode;
  /**
   * Holes instead of weights: takes no room and no time, and every weight is 0. Random ones have
   * the spread of a trained model's, so that activations stay finite.
   */
  readonly isSparse?: boolean;
  /** Another transformer than the released one, such as one of fewer layers. */
  readonly transformer?: TransformerConfig;
}

/** Writes the directory; `folder` must not be there. */
export async function writeFullSizeModel(folder: string, options: FullSizeOptions): Promise<void> {
  const configs = configFilesOf({
    shift: 3,
    transformer: options.transformer ?? releasedTransformer,
    textEncoder: releasedTextEncoder,
    vae: releasedVae,
  });
  for (const [name, content] of Object.entries(configs)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), JSON.stringify(content));
  }
  const nano = new URL("../../models/z-image-nano/tokenizer", import.meta.url);
  await cp(nano, join(folder, "tokenizer"), { recursive: true });
  const files: Record<string, { bytes: number; sha256: string }> = {};
  for (const [name, tensors] of Object.entries(filesOf(options))) {
    files[name] = await writeWeights(join(folder, name), tensors, options);
  }
  if (options.weights !== "int8" && options.weights !== "int4") return;
  const record = {
    format: "zfarm-prepared",
    version: 1,
    weights: options.weights,
    blockSize: preparedBlockSize,
    source: { name: "full-size", digest: "0".repeat(64) },
    files,
  };
  await writeFile(join(folder, preparedRecordFile), JSON.stringify(record));
}

/** The released repository keeps its transformer in float32 and its text encoder in bf16. */
function filesOf({
  weights,
  transformer: config = releasedTransformer,
}: FullSizeOptions): Record<string, TensorShape[]> {
  const transformer = expectedTransformerTensors(config).required;
  const encoder = expectedTextEncoderTensors(releasedTextEncoder);
  const vae = expectedVaeTensors(releasedVae.config);
  const isPrepared = weights === "int8" || weights === "int4";
  const dtype = weights === "fp32" ? "F32" : "BF16";
  const convert = (shape: TensorShape): TensorShape[] =>
    isPrepared ? preparedTensors(shape, weights) : [shape];
  const list = (shapes: Iterable<readonly [string, readonly number[]]>, type: "F32" | "BF16") =>
    [...shapes].map(([name, shape]): TensorShape => ({ name, dtype: type, shape }));
  // A head of its own would be 151,936 rows that nobody reads: Qwen3-4B ties it to the table.
  const whole = [...encoder.required, ...encoder.optional].filter(
    ([name]) => !name.startsWith("lm_head"),
  );
  return {
    "transformer/diffusion_pytorch_model.safetensors": list(transformer, dtype).flatMap(convert),
    "text_encoder/model.safetensors": isPrepared
      ? list(encoder.required, "BF16").flatMap(convert)
      : list(whole, "BF16").map((one) => ({ ...one, name: `model.${one.name}` })),
    "vae/diffusion_pytorch_model.safetensors": list([...vae.required, ...vae.optional], "F32"),
  };
}

async function writeWeights(
  path: string,
  tensors: readonly TensorShape[],
  { weights, isSparse }: FullSizeOptions,
): Promise<{ bytes: number; sha256: string }> {
  const header = encodeSafetensorsHeader(tensors);
  const hash = createHash("sha256").update(header.bytes);
  const pool = new WeightPool(weights === "int4" ? 4 : 8);
  const handle = await open(path, "w");
  try {
    await handle.write(header.bytes);
    await handle.truncate(header.fileLength);
    for (const tensor of isSparse === true ? [] : tensors) {
      for (const bytes of pool.bytesOf(tensor)) {
        await handle.write(bytes);
        hash.update(bytes);
      }
    }
  } finally {
    await handle.close();
  }
  return { bytes: header.fileLength, sha256: hash.digest("hex") };
}

const modes: readonly WeightMode[] = ["fp32", "bf16", "int8", "int4"];

if (import.meta.main) {
  const [, , folder = "", mode, sparse] = process.argv;
  const weights = modes.find((one) => one === mode);
  if (folder === "" || weights === undefined) throw new Error("usage: DIR fp32|bf16|int8|int4");
  await writeFullSizeModel(folder, { weights, isSparse: sparse === "--sparse" });
}
