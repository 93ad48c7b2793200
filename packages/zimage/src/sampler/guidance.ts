/**
 * Classifier-free guidance: a prediction pushed away from that of a negative prompt. Works on the
 * transformer's raw outputs, in float32 and in the order of the reference's operations.
 */

export interface Guidance {
  /** 0 is off; the usual "cfg scale" of other programs is one more. */
  readonly scale: number;
  /** Bound of the result's norm in norms of the plain prediction; 0 is none. */
  readonly normalization: number;
  /** Steps at later model times than this, of 0 to 1, run unguided. */
  readonly truncation: number;
}

/** Whether a step at this model time is guided: if not, the negative prompt need not be run. */
export function isGuided(guidance: Guidance | undefined, time: number): guidance is Guidance {
  return guidance !== undefined && guidance.scale > 0 && time <= guidance.truncation;
}

/** positive + scale · (positive - negative), with its norm bounded if the guidance says so. */
export function guide(
  positive: Float32Array,
  negative: Float32Array,
  { scale, normalization }: Guidance,
): Float32Array {
  const factor = Math.fround(scale);
  const guided = positive.map((value, at) => {
    const difference = Math.fround(value - (negative[at] ?? 0));
    return value + Math.fround(factor * difference);
  });
  if (normalization <= 0) return guided;
  const normMax = normOf(positive) * normalization;
  const norm = normOf(guided);
  if (norm <= normMax) return guided;
  const shrink = Math.fround(normMax / norm);
  return guided.map((value) => value * shrink);
}

function normOf(values: Float32Array): number {
  return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
}
