/** Checkpoints in another form of weights, written to a temporary folder for tests. */
import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openTensorIndex } from "../src/weights/open-tensor-index.ts";
import {
  bitsOf,
  blockLayout,
  type PreparedMode,
  preparedTensors,
} from "../src/weights/prepared-format.ts";
import { narrowToBf16, quantizeRows, widenElements } from "../src/weights/quantize.ts";
import type { TensorIndex, TensorRef } from "../src/weights/tensor-index.ts";
import type { Checkpoint } from "./filled-checkpoint.ts";
import { headerOf } from "./safetensors-writer.ts";

/** The checkpoint's tensors as `zfarm model prepare` stores them; tensor by tensor. */
export async function writePrepared(source: TensorIndex, mode: PreparedMode): Promise<Checkpoint> {
  const tensors = [...source.tensors.values()];
  const folder = await mkdtemp(join(tmpdir(), "zimage-prepared-"));
  await using file = await open(join(folder, "model.safetensors"), "w");
  await file.write(headerOf(tensors.flatMap((tensor) => preparedTensors(tensor, mode))));
  for (const tensor of tensors) {
    const values = await readTensor(source, tensor);
    for (const part of encode(values, tensor, mode)) await file.write(part);
  }
  const { index } = await openTensorIndex({ folder, stem: "model", prepared: true });
  return { index, [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) };
}

async function readTensor(source: TensorIndex, tensor: TensorRef): Promise<Float32Array> {
  await using file = await open(join(source.folder, tensor.file));
  const bytes = Buffer.alloc(tensor.length);
  await file.read(bytes, 0, tensor.length, tensor.offset);
  return widenElements(bytes, tensor.dtype);
}

function encode(values: Float32Array, tensor: TensorRef, mode: PreparedMode): Uint8Array[] {
  const [first, second] = preparedTensors(tensor, mode);
  if (second !== undefined && mode !== "bf16") {
    const rows = quantizeRows(values, blockLayout(tensor.shape, bitsOf[mode]));
    return [rows.levels, bytesOf(rows.scales)];
  }
  return [bytesOf(first?.dtype === "BF16" ? narrowToBf16(values) : values)];
}

function bytesOf(values: Float32Array | Uint16Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}
