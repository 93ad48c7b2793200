/**
 * Writes safetensors files for tests and for the golden tool, on its own: what the product's writer
 * gets wrong must not look right to the product's reader.
 */
import { open } from "node:fs/promises";
import { fillWeight } from "./hash-filler.ts";

export type Shapes = ReadonlyMap<string, readonly number[]>;

/** Writes the tensors in the order of the map, with values of the hash filler. */
export async function writeFilledSafetensors(path: string, shapes: Shapes): Promise<void> {
  await writeSafetensors(path, shapes, fillWeight);
}

/** @param values of one tensor, row-major. */
export async function writeSafetensors(
  path: string,
  shapes: Shapes,
  values: (name: string, shape: readonly number[]) => Float32Array,
): Promise<void> {
  const handle = await open(path, "w");
  try {
    await handle.write(
      headerOf([...shapes].map(([name, shape]) => ({ name, dtype: "F32", shape }))),
    );
    for (const [name, shape] of shapes) await handle.write(values(name, shape));
  } finally {
    await handle.close();
  }
}

const elementBytes = { F32: 4, F16: 2, BF16: 2, U8: 1 } as const;

export interface TensorEntry {
  readonly name: string;
  readonly dtype: keyof typeof elementBytes;
  readonly shape: readonly number[];
}

/**
 * Length and JSON of tensors that follow each other; readers tolerate data at any alignment, so
 * there is no padding.
 */
export function headerOf(
  tensors: readonly TensorEntry[],
  metadata?: Readonly<Record<string, string>>,
): Buffer {
  const entries: Record<string, object> = metadata === undefined ? {} : { __metadata__: metadata };
  let end = 0;
  for (const { name, dtype, shape } of tensors) {
    const begin = end;
    end += shape.reduce((product, side) => product * side, elementBytes[dtype]);
    entries[name] = { dtype, shape, data_offsets: [begin, end] };
  }
  return frameHeader(JSON.stringify(entries));
}

/** A header's JSON behind its length: what a hand-made, possibly wrong file begins with. */
export function frameHeader(json: string): Buffer {
  const text = Buffer.from(json, "utf8");
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text]);
}
