/** Every float16 as a float32, by its bits: faster than arithmetic for each element. */

let values: Float32Array | undefined;

/** 256 KB, made once; not to be written to. */
export function float16Values(): Float32Array {
  values ??= Float32Array.from({ length: 0x1_0000 }, (_, bits) => valueOf(bits));
  return values;
}

function valueOf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}
