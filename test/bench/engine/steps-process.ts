/** Runs a transformer alone for a few steps. */
import { openTensorIndex, openTransformer, type TransformerConfig } from "@zfarm/zimage";
import { type Timed, timed } from "./stopwatch.ts";
import { batchOf } from "./transformer-batch.ts";

export interface StepsRequest {
  readonly folder: string;
  readonly config: TransformerConfig;
  readonly threads: number;
  readonly steps: number;
}

export interface StepsAnswer {
  readonly open: Timed;
  readonly steps: readonly Timed[];
}

const { folder, config, threads, steps } = JSON.parse(process.argv[2] ?? "{}") as StepsRequest;
const { index } = await openTensorIndex({ folder, stem: "model", prepared: true });
const options = { threads, conversion: "run" } as const;
const [transformer, open] = await timed(() => openTransformer(config, index, options));
const stepTimes: Timed[] = [];
// One picture: its caption is the same in every step.
const batch = batchOf(256);
for (let step = 0; step < steps; step += 1) {
  const [, took] = await timed(() => transformer.predict(batch));
  process.stderr.write(`  step ${step + 1}: ${took.seconds} s, ${took.coreSeconds} core s\n`);
  stepTimes.push(took);
}
await transformer.close();
const answer: StepsAnswer = { open, steps: stepTimes };
process.send?.(answer);
