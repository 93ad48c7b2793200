/**
 * One step of large pictures, up to the largest, at the released widths but with one main layer:
 * that many rows take the same memory in one layer as in thirty, and much less time. Beside what
 * was measured stands what the plan had said. Decoding is left out: it is planned tile by tile.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  holdWeights,
  MemoryKeeper,
  networkBytes,
  openModelDirectory,
  releasedTransformer,
} from "@zfarm/zimage";
import type { EngineBench } from "../engine.ts";
import { writeFullSizeModel } from "../full-size-checkpoint.ts";
import type { PictureAnswer, PictureRequest } from "./picture-process.ts";
import { round } from "./stopwatch.ts";
import { runWatched } from "./watched-process.ts";

/** What a model has on a machine of 12 GiB, where the largest picture needs tiles and turns. */
const memoryBytes = 8e9;
const sides = [1024, 2048];
/** The prompt has about as many tokens, which hardly count. */
const tokens = 32;

export async function benchLarge({ threads }: EngineBench): Promise<object> {
  const folder = await mkdtemp(join(tmpdir(), "zfarm-bench-"));
  try {
    const modelDir = join(folder, "model");
    const transformer = { ...releasedTransformer, layers: 1 };
    await writeFullSizeModel(modelDir, { weights: "int4", transformer });
    const rows: object[] = [];
    for (const side of sides) rows.push(await stepOnce({ modelDir, threads, memoryBytes, side }));
    return rows;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function stepOnce(ask: Omit<PictureRequest, "steps">): Promise<object> {
  const request: PictureRequest = { ...ask, steps: 1, isDecoded: false };
  const planned = await planFor(ask);
  const { answer, ...memory } = await runWatched<PictureAnswer>("./picture-process.ts", request);
  return { side: ask.side, planned, ...memory, ...answer };
}

async function planFor({ modelDir, side }: Omit<PictureRequest, "steps">): Promise<object> {
  const model = await openModelDirectory(modelDir);
  const { mode, open } = holdWeights(model, { device: "cpu", memoryBytes });
  const networks = networkBytes(model, mode);
  const memory = new MemoryKeeper(model, { bytes: memoryBytes, networks, open });
  const { needBytes, ...plan } = memory.plan({ width: side, height: side, tokens });
  const tilePixels = plan.tilePixels ?? side;
  const decodingBytes = networks.perPixel * tilePixels ** 2;
  return { ...plan, gb: round(needBytes / 1e9), decodingGb: round(decodingBytes / 1e9) };
}
