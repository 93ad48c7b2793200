/**
 * A moving estimate of a positive quantity that one absurd value cannot move far. It works on
 * ratios: twice as much and half as much are equally wrong. A value may pull the estimate by a
 * bounded factor; only when the next ones agree is each believed twice as far as the one before.
 */

/** Weight of a new value once there are enough: about 20 values replace what was known. */
const newest = 0.2;
/** How far off a value may seem at first, as a logarithm: twice as much or half as much. */
const firstClip = Math.LN2;
/** The 95th percentile over the mean deviation, for what is normally distributed. */
const p95OfDeviation = 2.06;
/** Values before the deviation says anything. */
const deviationFrom = 5;

export class RobustEstimate {
  #logarithm: number;
  #deviation = 0;
  #count = 0;
  /** Values in a row that were clipped on the same side, negative on the lower one. */
  #clipped = 0;

  /** `guess` counts like one value; above 0. */
  constructor(guess: number) {
    this.#logarithm = Math.log(guess);
  }

  get value(): number {
    return Math.exp(this.#logarithm);
  }

  /** How many times the estimate the largest of 20 values is, about; undefined with too few. */
  get spread(): number | undefined {
    if (this.#count < deviationFrom) return undefined;
    return Math.exp(p95OfDeviation * this.#deviation);
  }

  /** Takes a value above 0. */
  learn(value: number): void {
    const off = Math.log(value) - this.#logarithm;
    const side = Math.sign(off);
    const repeats = this.#clipped * side > 0 ? Math.abs(this.#clipped) : 0;
    const clip = firstClip * 2 ** repeats;
    const believed = side * Math.min(Math.abs(off), clip);
    this.#clipped = Math.abs(off) > clip ? side * (repeats + 1) : side * repeats;
    this.#count += 1;
    const weight = Math.max(newest, 1 / (this.#count + 1));
    this.#logarithm += weight * believed;
    this.#deviation += weight * (Math.abs(believed) - this.#deviation);
  }
}
