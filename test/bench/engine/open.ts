/** How long the released size takes to open in int4, all networks together, from the page cache. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { EngineBench } from "../engine.ts";
import { writeFullSizeModel } from "../full-size-checkpoint.ts";
import type { OpenRequest } from "./open-process.ts";
import type { Timed } from "./stopwatch.ts";
import { runWatched } from "./watched-process.ts";

const rounds = 3;

export async function benchOpen({ threads }: EngineBench): Promise<object> {
  const folder = await mkdtemp(join(tmpdir(), "zfarm-bench-"));
  try {
    const modelDir = join(folder, "model");
    await writeFullSizeModel(modelDir, { weights: "int4" });
    const request: OpenRequest = { modelDir, threads, memoryBytes: 12e9 };
    const opens: Timed[] = [];
    for (let at = 0; at < rounds; at += 1) {
      opens.push((await runWatched<Timed>("./open-process.ts", request)).answer);
    }
    const best = opens.toSorted((one, other) => one.seconds - other.seconds)[0];
    return { opens, openSeconds: best?.seconds };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
