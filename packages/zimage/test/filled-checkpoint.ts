/** Checkpoints of the hash filler, one component each, written to a temporary folder for tests. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TextEncoderConfig, TransformerConfig, VaeConfig } from "../src/config.ts";
import {
  expectedTextEncoderTensors,
  expectedTransformerTensors,
  type Shapes,
} from "../src/model/expected-tensors.ts";
import { expectedVaeTensors } from "../src/model/expected-vae-tensors.ts";
import { openTensorIndex } from "../src/weights/open-tensor-index.ts";
import type { TensorIndex } from "../src/weights/tensor-index.ts";
import { fillWeight } from "./hash-filler.ts";
import { headerOf } from "./safetensors-writer.ts";

/** An index over a temporary folder that goes away with it. */
export interface Checkpoint extends AsyncDisposable {
  readonly index: TensorIndex;
}

export interface CheckpointOptions {
  readonly dtype?: "F32" | "BF16";
  /** Gives a tensor other values than the filler's. */
  readonly edit?: WeightEdit;
}

export type WeightEdit = (name: string, values: Float32Array) => Float32Array;

export function writeTransformer(
  config: TransformerConfig,
  options: CheckpointOptions = {},
): Promise<Checkpoint> {
  return writeCheckpoint(expectedTransformerTensors(config).required, options);
}

/** Without the last layer and the final norm, which are never read. */
export function writeTextEncoder(
  config: TextEncoderConfig,
  options: CheckpointOptions = {},
): Promise<Checkpoint> {
  return writeCheckpoint(expectedTextEncoderTensors(config).required, options);
}

/** Without the encoder. */
export function writeVae(config: VaeConfig, options: CheckpointOptions = {}): Promise<Checkpoint> {
  return writeCheckpoint(expectedVaeTensors(config).required, options);
}

/** Without the decoder. */
export function writeVaeEncoder(config: VaeConfig): Promise<Checkpoint> {
  return writeCheckpoint(expectedVaeTensors(config).optional, {});
}

async function writeCheckpoint(shapes: Shapes, options: CheckpointOptions): Promise<Checkpoint> {
  const { dtype = "F32", edit = (_, values) => values } = options;
  const header = headerOf([...shapes].map(([name, shape]) => ({ name, dtype, shape })));
  const bodies = [...shapes].map(([name, shape]) =>
    encode(edit(name, fillWeight(name, shape)), dtype),
  );
  const folder = await mkdtemp(join(tmpdir(), "zimage-weights-"));
  const file = join(folder, "model.safetensors");
  await writeFile(file, [header, ...bodies]);
  const { index } = await openTensorIndex({ folder, stem: "model" });
  return { index, [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) };
}

/** bfloat16 is the upper half of a float32; the lower half is cut off. */
function encode(values: Float32Array, dtype: "F32" | "BF16"): Buffer {
  if (dtype === "F32") return Buffer.from(values.buffer);
  const bits = new Uint32Array(values.buffer);
  return Buffer.from(Uint16Array.from(bits, (value) => value >>> 16).buffer);
}
