/** How long the model that ships takes from nothing to ready, in a process of its own. */
import { join } from "node:path";
import { repositoryRoot } from "../../repository.ts";
import type { EngineBench } from "../engine.ts";
import { median } from "../percentiles.ts";
import type { PictureAnswer, PictureRequest } from "./picture-process.ts";
import { runWatched } from "./watched-process.ts";

const rounds = 3;

export async function benchStart({ threads }: EngineBench): Promise<object> {
  const modelDir = join(repositoryRoot, "models/z-image-nano");
  const request: PictureRequest = { modelDir, threads, memoryBytes: 8e9, side: 256, steps: 8 };
  const opens: number[] = [];
  let peakRssGb = 0;
  for (let at = 0; at < rounds; at += 1) {
    const watched = await runWatched<PictureAnswer>("./picture-process.ts", request);
    opens.push(watched.answer.open.seconds);
    ({ peakRssGb } = watched);
  }
  return { nanoOpenSeconds: median(opens), nanoPeakRssGb: peakRssGb };
}
