/**
 * What keeping traces costs: the same pictures in turn through a farm without and one with them,
 * on one machine in one run. Times are milliseconds; overEngine is a call's time minus the engine's
 * own stages. `npm run bench:traces [-- --renders N]` prints one JSON object as its last line.
 */
import { parseArgs } from "node:util";
import type { ImageTimings, RenderedImage } from "@zfarm/contract";
import { type FarmUnderTest, startFarm } from "../system/farm.ts";
import { startOtlpReceiver } from "../system/otlp-receiver.ts";
import { median, percentiles } from "./percentiles.ts";

const warmUps = 3;
const picture = { prompt: "a red house", width: 128, height: 128, steps: 4 };

interface Measured {
  readonly callMs: number;
  readonly overEngineMs: number;
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { renders: { type: "string", default: "200" } } });
  const receiver = await startOtlpReceiver();
  const off = await startFarm({ workers: 1 });
  const on = await startFarm({
    workers: 1,
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url },
  });
  const rounds: { readonly off: Measured; readonly on: Measured }[] = [];
  try {
    for (let index = 0; index < Number(values.renders) + warmUps; index += 1) {
      const seed = BigInt(index);
      // Each goes first every other time.
      const first = index % 2 === 0 ? off : on;
      const second = first === off ? on : off;
      const [one, other] = [await measure(first, seed), await measure(second, seed)];
      const round = first === off ? { off: one, on: other } : { off: other, on: one };
      if (index >= warmUps) rounds.push(round);
    }
  } finally {
    await on.stop();
    await off.stop();
    await receiver.close();
  }
  const overEngineOf = (side: "off" | "on") => rounds.map((round) => round[side].overEngineMs);
  const summary = {
    renders: rounds.length,
    spansPerRender: Math.round(receiver.spans.length / (rounds.length + warmUps)),
    call: {
      off: percentiles(rounds.map((round) => round.off.callMs)),
      on: percentiles(rounds.map((round) => round.on.callMs)),
    },
    overEngine: { off: percentiles(overEngineOf("off")), on: percentiles(overEngineOf("on")) },
    ratio: {
      call: median(rounds.map((round) => round.on.callMs / round.off.callMs)),
      overEngine: median(rounds.map((round) => round.on.overEngineMs / round.off.overEngineMs)),
    },
  };
  process.stdout.write(`${JSON.stringify(summary)}\n`);
}

async function measure(farm: FarmUnderTest, seed: bigint): Promise<Measured> {
  const startMs = performance.now();
  const { image } = await farm.client.renderImage({ ...picture, seed });
  const callMs = performance.now() - startMs;
  return { callMs, overEngineMs: callMs - engineTime(image) };
}

function engineTime(image: RenderedImage | undefined): number {
  const stages = ["textEncode", "denoise", "vaeDecode", "encodeFile"] as const;
  return stages.reduce((sum, stage) => sum + milliseconds(image?.timings?.[stage]), 0);
}

function milliseconds(duration: ImageTimings["denoise"]): number {
  return Number(duration?.seconds ?? 0n) * 1e3 + (duration?.nanos ?? 0) / 1e6;
}

await main();
