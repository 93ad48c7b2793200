/** Reduces a tensor to a few numbers that two implementations can compare. */

export interface Statistics {
  readonly shape: readonly number[];
  readonly first4: readonly number[];
  readonly last4: readonly number[];
  readonly sum: number;
  readonly l2: number;
}

/** Statistics over row-major elements; sum and norm are accumulated in float64. */
export function describeTensor(values: Float32Array, shape: readonly number[]): Statistics {
  return {
    shape,
    first4: [...values.subarray(0, 4)],
    last4: [...values.subarray(-4)],
    sum: values.reduce((sum, value) => sum + value, 0),
    l2: normOf(values),
  };
}

/** Euclidean norm, accumulated in float64. */
export function normOf(values: Float32Array): number {
  return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
}

/** Tensors of equal shape behind one another. */
export function joinTensors(parts: readonly Float32Array[]): Float32Array {
  return Float32Array.from(parts.flatMap((part) => [...part]));
}

/** The rows of the first axis as tensors of their own. */
export function splitTensor(values: Float32Array, count: number): Float32Array[] {
  const size = values.length / count;
  return Array.from({ length: count }, (_, at) => values.slice(at * size, (at + 1) * size));
}
