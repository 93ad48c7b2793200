/**
 * How long it takes to get at adapters of the released model's width (rank 32 on every module of
 * the main layers, 340 MB in memory), in milliseconds. What they cost in a step is measured by
 * `npm run bench:engine`. `npm run bench:loras` prints one JSON object as its last line.
 *
 * loadMs: a file of 170 MB from the page cache, checked and laid out by the engine's threads.
 * loadCpuMs: what that takes of all threads; steppingCpuMs: of the thread that steps, which it
 * holds up for as long.
 * swapMs: what a step spends on feeding adapters where each step has another one.
 * joinMs: the same for two adapters side by side, the first time, and for the steps after it.
 * joinOverCopy: the first time over copying as many bytes into memory that was never used.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "@zfarm/runtime";
import { type LoraAdapter, releasedTransformer } from "@zfarm/zimage";
import { loraArchitectureOf, loraTargetsOf } from "@zfarm/zimage/lora";
import { loraSupportOf } from "../../packages/zimage/src/graph/linear.ts";
import { LoraFeeder } from "../../packages/zimage/src/networks/lora-batch.ts";
import { LoraReader } from "../../services/gpu-worker/src/engine/lora-reader.ts";
import { writeLoraFile } from "./lora-files.ts";
import { percentiles } from "./percentiles.ts";

const rounds = 7;

const folder = await mkdtemp(join(tmpdir(), "zfarm-bench-loras-"));
try {
  process.stdout.write(`${JSON.stringify(await measureAccess())}\n`);
} finally {
  await rm(folder, { recursive: true });
}

async function measureAccess() {
  const architecture = loraArchitectureOf(releasedTransformer);
  const reader = new LoraReader(architecture, systemClock);
  const loadMs: number[] = [];
  const cpuMs: number[] = [];
  const steppingCpuMs: number[] = [];
  const adapters: LoraAdapter[] = [];
  for (const salt of [1, 2]) {
    const path = join(folder, `${salt}.safetensors`);
    const file = await writeLoraFile(path, architecture, { rank: 32, salt });
    for (let count = 0; count < rounds; count += 1) {
      const startedMs = performance.now();
      const [all, own] = [process.cpuUsage(), process.threadCpuUsage()];
      adapters[salt - 1] = (await reader.read(file.digest, path)).adapter;
      loadMs.push(performance.now() - startedMs);
      cpuMs.push(millisecondsOf(process.cpuUsage(all)));
      steppingCpuMs.push(millisecondsOf(process.threadCpuUsage(own)));
    }
  }
  reader.close();
  const [first, second] = adapters;
  if (first === undefined || second === undefined) throw new RangeError("nothing was read");
  const inputs = {
    loraTargets: loraTargetsOf(architecture),
    loraSupport: loraSupportOf(architecture.dim),
  };
  const feeder = new LoraFeeder(inputs, 2 ** 30);
  const feedMs = (...used: readonly LoraAdapter[]): number => {
    const startedMs = performance.now();
    feeder.feeds([used.map((adapter) => ({ adapter, strength: 1 }))]);
    return performance.now() - startedMs;
  };
  const swaps = Array.from({ length: 1_000 }, (_, at) => feedMs(at % 2 === 0 ? first : second));
  const [joinMs, nextMs] = [feedMs(first, second), feedMs(first, second)];
  return {
    loadMs: percentiles(loadMs),
    loadCpuMs: percentiles(cpuMs),
    steppingCpuMs: percentiles(steppingCpuMs),
    swapMs: percentiles(swaps),
    joinMs: { first: round(joinMs), next: round(nextMs) },
    joinOverCopy: Math.round((joinMs / copyMs([first, second])) * 100) / 100,
  };
}

/** One copy of all the factors, array by array. */
function copyMs(adapters: readonly LoraAdapter[]): number {
  const startedMs = performance.now();
  const copies = adapters.flatMap(({ modules }) =>
    [...modules.values()].flatMap(({ down, up }) => [down.slice(), up.slice()]),
  );
  return copies.length > 0 ? performance.now() - startedMs : Number.NaN;
}

function millisecondsOf({ user, system }: { user: number; system: number }): number {
  return (user + system) / 1_000;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
