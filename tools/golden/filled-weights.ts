/** Filler weights as real files, so that a golden case goes through the code that reads a model. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ExpectedTensors, TensorIndex } from "@zfarm/zimage";
import { openTensorIndex } from "@zfarm/zimage";
import { writeFilledSafetensors } from "../../packages/zimage/test/safetensors-writer.ts";

/** Writes the required tensors to a temporary file, runs `use` on them and removes the file. */
export async function withFilledWeights<T>(
  expected: ExpectedTensors,
  use: (index: TensorIndex) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "golden-"));
  try {
    const stem = "weights";
    await writeFilledSafetensors(join(folder, `${stem}.safetensors`), expected.required);
    return await use((await openTensorIndex({ folder, stem })).index);
  } finally {
    await rm(folder, { recursive: true });
  }
}
