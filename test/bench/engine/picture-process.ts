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
  /** Whether there is more to it than its steps; true when absent. */
  readonly isDecoded?: boolean;
}

export interface PictureAnswer {
  readonly open: Timed;
  readonly encode: Timed;
  /** The first one opens the transformer where the text encoder had to go before. */
  readonly steps: readonly Timed[];
  /** Absent where the picture was not decoded. */
  readonly decode?: Timed;
}

const request = JSON.parse(process.argv[2] ?? "{}") as PictureRequest;
const { modelDir, threads, memoryBytes, side, steps, weights, isDecoded = true } = request;
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
const finish = async (): Promise<Pick<PictureAnswer, "decode">> => {
  const [pictures, decode] = await timed(() => pipeline.decode([render]));
  if (pictures[0] === undefined) throw new Error("no picture");
  const size = { width: side, height: side, steps, seed: 1n };
  await encodePng(pictures[0], { prompt, ...size, model: "", modelDigest: "" });
  return { decode };
};
const finished = isDecoded ? await finish() : {};
await pipeline.close();
const answer: PictureAnswer = { open, encode, steps: stepTimes, ...finished };
process.send?.(answer);
