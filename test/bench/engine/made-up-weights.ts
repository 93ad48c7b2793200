/** A file of made-up weights for one network, in the form that the engine reads. */
import { open } from "node:fs/promises";
import { join } from "node:path";
import {
  type ExpectedTensors,
  encodeSafetensorsHeader,
  type PreparedMode,
  preparedTensors,
} from "@zfarm/zimage";
import { WeightPool } from "../weight-pool.ts";

/** Writes `model.safetensors`; gives its bytes. */
export async function writeMadeUpWeights(
  folder: string,
  shapes: ExpectedTensors["required"],
  mode: PreparedMode,
): Promise<number> {
  const tensors = [...shapes].flatMap(([name, shape]) =>
    preparedTensors({ name, dtype: "BF16", shape }, mode),
  );
  const header = encodeSafetensorsHeader(tensors);
  const pool = new WeightPool(mode === "int4" ? 4 : 8);
  await using file = await open(join(folder, "model.safetensors"), "w");
  await file.write(header.bytes);
  for (const tensor of tensors) {
    for (const bytes of pool.bytesOf(tensor)) await file.write(bytes);
  }
  return header.fileLength;
}
