/** Files of adapters for the model of the test farm's pool, good ones and broken ones. */
import { createHash } from "node:crypto";
import type { LoraArchitecture } from "@zfarm/contract";
import { type LinearSpec, loraTargetsOf } from "@zfarm/zimage/lora";

export interface LoraFileOptions {
  readonly rank?: number;
  /** The value of every element: files of other values are other adapters. */
  readonly value?: number;
  /** How the names of its tensors begin. */
  readonly prefix?: string;
  readonly metadata?: Readonly<Record<string, string>>;
}

export interface TensorPlan {
  readonly name: string;
  readonly shape: readonly [number, number];
}

/** A and B of every module that the architecture has. */
export function planTensors(
  architecture: LoraArchitecture,
  { rank = 4, prefix = "diffusion_model." }: LoraFileOptions = {},
): TensorPlan[] {
  return loraTargetsOf(architecture).flatMap(({ name, in: width, out }: LinearSpec) => [
    { name: `${prefix}${name}.lora_A.weight`, shape: [rank, width] as const },
    { name: `${prefix}${name}.lora_B.weight`, shape: [out, rank] as const },
  ]);
}

/** The bytes before the tensors: the header's length and the header. */
export function frameHeader(
  tensors: readonly TensorPlan[],
  metadata: Readonly<Record<string, string>> = {},
): Buffer {
  let end = 0;
  const entries = tensors.map(({ name, shape }) => {
    const begin = end;
    end += shape[0] * shape[1] * 2;
    return [name, { dtype: "BF16", shape, data_offsets: [begin, end] }] as const;
  });
  const header = { __metadata__: metadata, ...Object.fromEntries(entries) };
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text]);
}

/** Elements of one value in bfloat16. */
export function fill(elements: number, value: number): Buffer {
  const [bits = 0] = new Uint32Array(Float32Array.of(value).buffer);
  const half = Buffer.alloc(2);
  half.writeUInt16LE(bits >>> 16);
  return Buffer.alloc(elements * 2, half);
}

export function loraFile(architecture: LoraArchitecture, options: LoraFileOptions = {}): Buffer {
  const tensors = planTensors(architecture, options);
  const elements = tensors.reduce((sum, { shape }) => sum + shape[0] * shape[1], 0);
  const header = frameHeader(tensors, options.metadata);
  return Buffer.concat([header, fill(elements, options.value ?? 0.5)]);
}

export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Bytes as a stream of pieces. */
export async function* inPieces(bytes: Uint8Array, size = 10_000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
