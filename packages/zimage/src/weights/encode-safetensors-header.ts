/** Writes the header of a safetensors file whose tensors follow each other without holes. */
import type { TensorDtype } from "./tensor-index.ts";

export interface TensorShape {
  readonly name: string;
  readonly dtype: TensorDtype;
  readonly shape: readonly number[];
}

export interface EncodedHeader {
  /** Length and JSON: the beginning of the file. */
  readonly bytes: Uint8Array;
  /** Absolute byte offset and length of every tensor, by name. */
  readonly places: ReadonlyMap<string, { readonly offset: number; readonly length: number }>;
  readonly fileLength: number;
}

export const elementBytes: Readonly<Record<TensorDtype, number>> = {
  F32: 4,
  F16: 2,
  BF16: 2,
  U8: 1,
};

/** Tensors begin at a multiple of this, which maps and copies like best. */
const alignment = 64;

export function encodeSafetensorsHeader(tensors: readonly TensorShape[]): EncodedHeader {
  const entries: Record<string, object> = {};
  const relative = new Map<string, { offset: number; length: number }>();
  let end = 0;
  for (const { name, dtype, shape } of tensors) {
    const length = shape.reduce((product, side) => product * side, elementBytes[dtype]);
    entries[name] = { dtype, shape, data_offsets: [end, end + length] };
    relative.set(name, { offset: end, length });
    end += length;
  }
  const json = JSON.stringify(entries);
  const length = Math.ceil((8 + json.length) / alignment) * alignment - 8;
  const bytes = Buffer.alloc(8 + length, " ");
  bytes.writeBigUInt64LE(BigInt(length));
  bytes.write(json, 8, "ascii");
  const places = new Map(
    [...relative].map(([name, place]) => [name, { ...place, offset: bytes.length + place.offset }]),
  );
  return { bytes, places, fileLength: bytes.length + end };
}
