/** Whether encoding prompts and decoding pictures beside the steps is faster on this machine. */
import { systemClock } from "@zfarm/runtime";
import { openZImageModel } from "../../../services/gpu-worker/src/engine/zimage-model.ts";
import { engineLoop } from "./compare.ts";
import { drive } from "./drive.ts";
import { arrivalsOf, type Picture } from "./workload.ts";

export interface Overlap {
  /** Of the fastest round: all pictures are there from the start. */
  readonly spanMs: number;
  readonly meanMs: number;
}

const rounds = 6;

/** By the threads of a run beside; 0: between the steps. All in turn, so that all have the same. */
export async function measureOverlap(
  modelDir: string,
  { mix, batchMax }: { readonly mix: readonly Picture[]; readonly batchMax: number },
): Promise<Record<number, Overlap>> {
  const best: Record<number, Overlap> = {};
  const models = new Map<number, Awaited<ReturnType<typeof openZImageModel>>>();
  for (const sideThreads of [0, 1, 2]) {
    const settings = { modelDir, device: "cpu", batchMax };
    const model = await openZImageModel(
      sideThreads === 0 ? settings : { ...settings, sideThreads },
    );
    models.set(sideThreads, model);
  }
  const arrivals = arrivalsOf({ mix, count: 24, gapMs: 0, seed: 1 });
  for (let round = 0; round < rounds; round += 1) {
    for (const [sideThreads, model] of models) {
      const needs = { model, clock: systemClock, batchMax, arrivals };
      const { latenciesMs, spanMs } = await drive(engineLoop, needs);
      const meanMs = latenciesMs.reduce((sum, ms) => sum + ms, 0) / latenciesMs.length;
      const known = best[sideThreads];
      if (known === undefined || spanMs < known.spanMs) best[sideThreads] = { spanMs, meanMs };
    }
  }
  for (const model of models.values()) await model.close();
  return best;
}
