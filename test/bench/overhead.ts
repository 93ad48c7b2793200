/**
 * What the farm costs on top of the model: the same pictures, in turn, through a whole farm and
 * straight through the library, on one machine in one run. Times are milliseconds.
 * `npm run bench:overhead [-- --renders N]` prints one JSON object as its last line.
 *
 * overEngine: a call's time minus the engine's own stages for that picture.
 * overLibrary: a call's time minus the library's time for the same picture in the same round.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { ImageTimings, RenderedImage } from "@zfarm/contract";
import type { ModelInfo, RenderSpec } from "@zfarm/zimage";
import { repositoryRoot } from "../repository.ts";
import { type FarmUnderTest, startFarm } from "../system/farm.ts";
import { percentiles } from "./percentiles.ts";

const warmUps = 3;
const prompt = "a yellow boat on the left on the sea at sunset";

interface Round {
  readonly farmMs: number;
  readonly engineMs: number;
  readonly libraryMs: number;
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { renders: { type: "string", default: "40" } } });
  const farm = await startFarm({ workers: 1 });
  const modelDir = join(repositoryRoot, "models/z-image-nano");
  const library = fork(join(repositoryRoot, "test/bench/library-process.ts"), [modelDir], {
    serialization: "advanced",
  });
  const [info] = (await once(library, "message")) as [ModelInfo];
  const { widthDefault: width, heightDefault: height, stepsDefault: steps } = info;
  const rounds: Round[] = [];
  try {
    for (let index = 0; index < Number(values.renders) + warmUps; index += 1) {
      const spec = { prompt, width, height, steps, seed: BigInt(index) };
      const round = await measureRound(farm, library, spec);
      if (index >= warmUps) rounds.push(round);
      process.stderr.write(`${index + 1}: ${JSON.stringify(round)}\n`);
    }
  } finally {
    library.disconnect();
    await farm.stop();
  }
  const summary = {
    renders: rounds.length,
    size: `${width}x${height}`,
    steps,
    farm: percentiles(rounds.map((round) => round.farmMs)),
    engine: percentiles(rounds.map((round) => round.engineMs)),
    library: percentiles(rounds.map((round) => round.libraryMs)),
    overEngine: percentiles(rounds.map((round) => round.farmMs - round.engineMs)),
    overLibrary: percentiles(rounds.map((round) => round.farmMs - round.libraryMs)),
  };
  process.stdout.write(`${JSON.stringify(summary)}\n`);
}

async function measureRound(
  farm: FarmUnderTest,
  library: ChildProcess,
  spec: RenderSpec,
): Promise<Round> {
  const startMs = performance.now();
  const { image } = await farm.client.renderImage(spec);
  const farmMs = performance.now() - startMs;
  const answer = once(library, "message") as Promise<[number]>;
  library.send(spec);
  const [libraryMs] = await answer;
  return { farmMs, engineMs: engineTime(image), libraryMs };
}

/** The stages that the library runs too. */
function engineTime(image: RenderedImage | undefined): number {
  const stages = ["textEncode", "denoise", "vaeDecode", "encodeFile"] as const;
  return stages.reduce((sum, stage) => sum + milliseconds(image?.timings?.[stage]), 0);
}

function milliseconds(duration: ImageTimings["denoise"]): number {
  return Number(duration?.seconds ?? 0n) * 1e3 + (duration?.nanos ?? 0) / 1e6;
}

await main();
