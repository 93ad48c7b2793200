/** Refuses updates that are finite and senseless, by what they do to some of the weights. */
import type { ModuleUpdate, TargetProduct } from "./convert-module.ts";
import type { TargetFactors } from "./factors.ts";
import { changeMax } from "./limits.ts";
import { refuseLora } from "./refuse.ts";

/** Of each factor: 64 weights of a pair, for a hundredth of the time that reading it takes. */
const placesMax = 8;

/**
 * LORA_INVALID where a weight of those looked at changes by more than `changeMax`. Both factors may
 * be within their bounds: what counts is their product.
 */
export function checkChange(update: ModuleUpdate): void {
  const { target, scale } = update;
  const largest = update.kind === "pair" ? largestProduct(update) : largestOfKronecker(update);
  const change = scale.value * largest;
  if (change <= changeMax) return;
  refuseLora(target.name, `changes a weight by ${change.toPrecision(3)}; at most ${changeMax}`);
}

/** The largest |B · A| at evenly spaced rows of B and columns of A. */
function largestProduct({ target, rank, down, up }: TargetFactors): number {
  let largest = 0;
  for (const row of places(target.out)) {
    for (const column of places(target.in)) {
      let sum = 0;
      for (let at = 0; at < rank; at += 1) {
        sum += (up[row * rank + at] ?? 0) * (down[at * target.in + column] ?? 0);
      }
      largest = Math.max(largest, Math.abs(sum));
    }
  }
  return largest;
}

/** The largest element of each factor meets that of the other: this is of all weights. */
function largestOfKronecker({ first, factors }: TargetProduct): number {
  const middle = first.rows * first.columns;
  return largestOf(factors.subarray(0, middle)) * largestOf(factors.subarray(middle));
}

function largestOf(values: Float32Array): number {
  let largest = 0;
  for (const value of values) largest = Math.max(largest, Math.abs(value));
  return largest;
}

function places(length: number): number[] {
  const count = Math.min(placesMax, length);
  return Array.from({ length: count }, (_, at) => Math.floor((at * length) / count));
}
