/** Whether encoding a picture's file holds up the thread that talks to the rest of the farm. */
import { randomFillSync } from "node:crypto";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { encodePng } from "@zfarm/zimage";
import { median } from "../percentiles.ts";
import { round, timed } from "./stopwatch.ts";

const side = 1024;
const rounds = 10;

export async function benchFiles(): Promise<object> {
  // The smooth part compresses and the noise does not, as in photographs.
  const data = randomFillSync(new Uint8Array(3 * side * side)).map((noise, at) => {
    return 128 + 80 * Math.sin(at / 3000) + noise / 16;
  });
  const picture = { width: side, height: side, data };
  const metadata = {
    prompt: "noise",
    width: side,
    height: side,
    steps: 8,
    seed: 1n,
    model: "none",
    modelDigest: "none",
  };
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const seconds: number[] = [];
  for (let at = 0; at < rounds; at += 1) {
    const [, took] = await timed(() => encodePng(picture, metadata));
    seconds.push(took.seconds);
  }
  delay.disable();
  return {
    encodeSeconds: median(seconds),
    // The timer itself ticks every millisecond.
    loopDelayP99Ms: round(delay.percentile(99) / 1e6),
  };
}
