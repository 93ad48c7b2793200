/**
 * What adapters cost at the released model's width, as ratios measured in turns in one run, and
 * how long it takes to get at them. One layer of each kind with int4 weights; every module has an
 * update. `npm run bench:loras` prints one JSON object as its last line.
 *
 * rank16, rank64: a step of one picture with an adapter over one without.
 * mixed: a step of four pictures with an adapter each over four that share one, rank 16.
 * pair: a step of one picture with two adapters of rank 16 over one with one of rank 32.
 * swap: what a step spends on feeding adapters when each step has another one, milliseconds.
 * join: the same for two adapters of 340 MB that never ran side by side before.
 * load: a file of 170 MB from the page cache, checked and laid out, milliseconds; gap: the longest
 * time meanwhile in which the thread that steps could not have gone on.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as yieldToEventLoop } from "node:timers/promises";
import { systemClock } from "@zfarm/runtime";
import {
  type LoraAdapter,
  type LoraStack,
  openModelDirectory,
  openTransformer,
  releasedTransformer,
  type Transformer,
} from "@zfarm/zimage";
import { loraArchitectureOf, loraTargetsOf } from "@zfarm/zimage/lora";
import { LoraFeeder } from "../../packages/zimage/src/networks/lora-batch.ts";
import { LoraReader } from "../../services/gpu-worker/src/engine/lora-reader.ts";
import { writeFullSizeModel } from "./full-size-checkpoint.ts";
import { createAdapter, writeLoraFile } from "./lora-files.ts";
import { percentiles } from "./percentiles.ts";

const oneOfEach = { ...releasedTransformer, layers: 1, refinerLayers: 1 };
/** Latent cells of 256 x 256 pixels. */
const side = 32;
const captionRows = 32;
const rounds = 7;

const folder = await mkdtemp(join(tmpdir(), "zfarm-bench-loras-"));
try {
  const steps = await measureSteps();
  const access = await measureAccess();
  process.stdout.write(`${JSON.stringify({ ...steps, ...access })}\n`);
} finally {
  await rm(folder, { recursive: true });
}

async function measureSteps() {
  const path = join(folder, "model");
  await writeFullSizeModel(path, { weights: "int4", isSparse: true, transformer: oneOfEach });
  const { config, tensors } = (await openModelDirectory(path)).transformer;
  const transformer = await openTransformer(config, tensors);
  const adapter = (rank: number, salt: number): LoraStack => [
    { adapter: createAdapter(loraArchitectureOf(oneOfEach), { rank, salt }), strength: 1 },
  ];
  const [a = [], b = [], c = [], d = []] = [1, 2, 3, 4].map((salt) => adapter(16, salt));
  const one = await measureInTurns(transformer, {
    none: [[]],
    rank16: [a],
    rank32: [adapter(32, 5)],
    rank64: [adapter(64, 6)],
    pair: [[...a, ...b]],
  });
  const four = await measureInTurns(transformer, { equal: [a, a, a, a], mixed: [a, b, c, d] });
  await transformer.close();
  return {
    stepMs: round(one["none"] ?? 0),
    rank16: ratio(one["rank16"], one["none"]),
    rank64: ratio(one["rank64"], one["none"]),
    pair: ratio(one["pair"], one["rank32"]),
    mixed: ratio(four["mixed"], four["equal"]),
  };
}

/** The median time of a step with each batch, one after the other, so that all meet the same. */
async function measureInTurns(
  transformer: Transformer,
  batches: Readonly<Record<string, readonly LoraStack[]>>,
): Promise<Record<string, number>> {
  const times = new Map(Object.keys(batches).map((name) => [name, [] as number[]]));
  for (let turn = 0; turn <= rounds; turn += 1) {
    for (const [name, loras] of Object.entries(batches)) {
      const startedMs = performance.now();
      await transformer.predict(batchOf(loras));
      // The first turn warms up.
      if (turn > 0) times.get(name)?.push(performance.now() - startedMs);
    }
  }
  return Object.fromEntries([...times].map(([name, ms]) => [name, percentiles(ms).p50]));
}

function batchOf(loras: readonly LoraStack[]) {
  const { inChannels, captionDim } = oneOfEach;
  const latent = new Float32Array(inChannels * side * side).fill(0.5);
  const caption = {
    data: new Float32Array(captionRows * captionDim).fill(0.1),
    length: captionRows,
  };
  return {
    latents: loras.map(() => latent),
    captions: loras.map(() => caption),
    times: loras.map(() => 0.5),
    height: side,
    width: side,
    loras,
  };
}

async function measureAccess() {
  const architecture = loraArchitectureOf(releasedTransformer);
  const reader = new LoraReader(architecture, systemClock);
  const loadMs: number[] = [];
  const gapMs: number[] = [];
  const adapters: LoraAdapter[] = [];
  for (const salt of [1, 2]) {
    const path = join(folder, `${salt}.safetensors`);
    const file = await writeLoraFile(path, architecture, { rank: 32, salt });
    for (let count = 0; count < rounds; count += 1) {
      const gap = watchGap();
      const startedMs = performance.now();
      adapters[salt - 1] = (await reader.read(file.digest, path)).adapter;
      loadMs.push(performance.now() - startedMs);
      gapMs.push(await gap.end());
    }
  }
  reader.close();
  const [first, second] = adapters;
  if (first === undefined || second === undefined) throw new RangeError("nothing was read");
  const feeder = new LoraFeeder(loraTargetsOf(architecture), 2 ** 30);
  const feedMs = (...used: readonly LoraAdapter[]): number => {
    const startedMs = performance.now();
    feeder.feeds([used.map((adapter) => ({ adapter, strength: 1 }))]);
    return performance.now() - startedMs;
  };
  const swaps = Array.from({ length: 1_000 }, (_, at) => feedMs(at % 2 === 0 ? first : second));
  const joinMs = [feedMs(first, second), feedMs(first, second)].map(round);
  return {
    swapMs: percentiles(swaps),
    joinMs: { first: joinMs[0], next: joinMs[1] },
    loadMs: percentiles(loadMs),
    loadGapMs: percentiles(gapMs),
  };
}

/** Turns the event loop without pause and notes the longest turn. */
function watchGap(): { end(): Promise<number> } {
  let isOver = false;
  const turning = (async () => {
    let longest = 0;
    for (let last = performance.now(); !isOver; ) {
      await yieldToEventLoop();
      const now = performance.now();
      longest = Math.max(longest, now - last);
      last = now;
    }
    return longest;
  })();
  return {
    end: () => {
      isOver = true;
      return turning;
    },
  };
}

function ratio(value = 0, base = 1): number {
  return Math.round((value / base) * 1_000) / 1_000;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
