/** Draws one picture step by step and says what each part took. */
import { encodePng, openPipeline, type WeightMode } from "@zfarm/zimage";
import { type Timed, timed } from "./stopwatch.ts";

export interface PictureRequest {
  readonly modelDir: string;
  readonly threads: number;
  readonly memoryBytes: number;
  /** Pixels. */
  readonly side: number;
  readonly steps: number;
  readonly weights?: WeightMode;
}

export interface PictureAnswer {
  readonly open: Timed;
  readonly encode: Timed;
  /** The first one opens the transformer where the text encoder had to go before. */
  readonly steps: readonly Timed[];
  readonly decode: Timed;
}

const { modelDir, threads, memoryBytes, side, steps, weights } = JSON.parse(
  process.argv[2] ?? "{}",
) as PictureRequest;
const prompt = "a yellow boat on the left on the sea at sunset";
const options = { threads, memoryBytes, ...(weights === undefined ? {} : { weights }) };
const [pipeline, open] = await timed(() => openPipeline(modelDir, options));
const [[caption], encode] = await timed(() => pipeline.encodePrompts([prompt]));
if (caption === undefined) throw new Error("no caption");
const render = pipeline.start({ prompt, width: side, height: side, steps, seed: 1n }, caption);
const stepTimes: Timed[] = [];
for (let step = 0; step < steps; step += 1) {
  const [, took] = await timed(() => pipeline.step([render]));
  process.stderr.write(`  step ${step + 1}: ${took.seconds} s, ${took.coreSeconds} core s\n`);
  stepTimes.push(took);
}
const [pictures, decode] = await timed(() => pipeline.decode([render]));
if (pictures[0] === undefined) throw new Error("no picture");
const metadata = { prompt, width: side, height: side, steps, seed: 1n, model: "", modelDigest: "" };
await encodePng(pictures[0], metadata);
await pipeline.close();
const answer: PictureAnswer = { open, encode, steps: stepTimes, decode };
process.send?.(answer);
