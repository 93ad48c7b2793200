/** How far values are from the exact ones: the norm of the difference over their norm. */
export function relativeError(
  values: Float32Array | undefined,
  exact: Float32Array | undefined,
): number {
  if (values === undefined || exact === undefined || values.length !== exact.length)
    return Infinity;
  let difference = 0;
  let size = 0;
  for (const [at, wanted] of exact.entries()) {
    difference += ((values[at] ?? 0) - wanted) ** 2;
    size += wanted ** 2;
  }
  return Math.sqrt(difference / size);
}
