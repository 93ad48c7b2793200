/** Writes safetensors files for tests and for the golden tool: float32 only. */
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
    await handle.write(createHeader(shapes));
    for (const [name, shape] of shapes) await handle.write(values(name, shape));
  } finally {
    await handle.close();
  }
}

/** Length and JSON; readers tolerate data at any alignment, so there is no padding. */
function createHeader(shapes: Shapes): Buffer {
  const entries: Record<string, object> = {};
  let end = 0;
  for (const [name, shape] of shapes) {
    const begin = end;
    end += shape.reduce((product, side) => product * side, Float32Array.BYTES_PER_ELEMENT);
    entries[name] = { dtype: "F32", shape, data_offsets: [begin, end] };
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
