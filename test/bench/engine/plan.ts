/**
 * What the plan makes of the released model on machines of several sizes: the mode of the weights,
 * what is open at once, and the largest picture. Files are sparse: only their headers are read.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loraMemoryBytesOf, loraRamBytesOf } from "@zfarm/contract";
import {
  describeModel,
  holdWeights,
  MemoryKeeper,
  type ModelDirectory,
  ModelError,
  networkBytes,
  openModelDirectory,
} from "@zfarm/zimage";
import { writeFullSizeModel } from "../full-size-checkpoint.ts";

const gibibyte = 2 ** 30;
const machineGib = [4, 6, 8, 12, 16, 24, 32, 64] as const;
/** What `machineMemoryBytes` leaves to a worker's model. */
const share = 7 / 8;

export async function benchPlan(): Promise<object> {
  const folder = await mkdtemp(join(tmpdir(), "zfarm-bench-"));
  try {
    const rows: object[] = [];
    for (const weights of ["int4", "int8", "bf16"] as const) {
      const modelDir = join(folder, weights);
      await writeFullSizeModel(modelDir, { weights, isSparse: true });
      const model = await openModelDirectory(modelDir);
      rows.push(...machineGib.map((gib) => ({ directory: weights, gib, ...planFor(model, gib) })));
    }
    return rows;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function planFor(model: ModelDirectory, gib: number): object {
  const adapters = loraMemoryBytesOf(loraRamBytesOf(gib * gibibyte));
  const bytes = gib * gibibyte * share - adapters;
  try {
    const { mode, open } = holdWeights(model, { device: "cpu", memoryBytes: bytes });
    const networks = networkBytes(model, mode);
    const memory = new MemoryKeeper(model, { bytes, networks, open });
    const { sizeMultiple: multiple, pixelsMax, tokensMax: tokens } = describeModel(model);
    const most = memory.pixelsMax({ side: Math.sqrt(pixelsMax), multiple, tokens });
    return { mode, open: open[0], sideMax: Math.sqrt(most) };
  } catch (error) {
    if (error instanceof ModelError) return { refused: error.message };
    throw error;
  }
}
