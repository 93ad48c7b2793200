/** Turns the bytes of a tensor into float32 and finds its largest element on the way. */
import { invariant } from "../invariant.ts";
import type { HeaderTensor } from "../weights/safetensors-header.ts";

interface Converted {
  readonly floats: Float32Array;
  /** The largest magnitude; infinite or NaN where an element is. */
  readonly peak: number;
}

const magnitude32 = 0x7fff_ffff;
const magnitude16 = 0x7fff;

/**
 * The magnitude of a float grows with its bits, NaN last, so one integer maximum finds both the
 * largest element and any that is not finite.
 * @param bytes at the start of their buffer; float32 stays in it.
 */
export function toFloats(bytes: Uint8Array, dtype: HeaderTensor["dtype"]): Converted {
  const convert = converters[dtype];
  invariant(convert !== undefined, "the header of an adapter lists floats alone");
  return convert(bytes);
}

const converters: Partial<Record<HeaderTensor["dtype"], (bytes: Uint8Array) => Converted>> = {
  F32: fromFloat32,
  BF16: fromBfloat16,
  F16: fromFloat16,
};

function fromFloat32(bytes: Uint8Array): Converted {
  const bits = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  let peak = 0;
  for (let at = 0; at < bits.length; at += 1) {
    const size = (bits[at] ?? 0) & magnitude32;
    if (size > peak) peak = size;
  }
  const floats = new Float32Array(bits.buffer, bits.byteOffset, bits.length);
  return { floats, peak: floatOf(peak) };
}

function fromBfloat16(bytes: Uint8Array): Converted {
  const bits = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2);
  const floats = new Float32Array(bits.length);
  const wide = new Uint32Array(floats.buffer);
  let peak = 0;
  for (let at = 0; at < bits.length; at += 1) {
    const value = bits[at] ?? 0;
    const size = value & magnitude16;
    if (size > peak) peak = size;
    wide[at] = value << 16;
  }
  return { floats, peak: floatOf(peak << 16) };
}

function fromFloat16(bytes: Uint8Array): Converted {
  const table = halfTable();
  const bits = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2);
  const floats = new Float32Array(bits.length);
  let peak = 0;
  for (let at = 0; at < bits.length; at += 1) {
    const value = bits[at] ?? 0;
    const size = value & magnitude16;
    if (size > peak) peak = size;
    floats[at] = table[value] ?? 0;
  }
  return { floats, peak: table[peak] ?? 0 };
}

function floatOf(bits: number): number {
  return new Float32Array(Uint32Array.of(bits).buffer)[0] ?? 0;
}

let halves: Float32Array | undefined;

/** Every float16 as a float32: 256 KB, made once, faster than arithmetic per element. */
function halfTable(): Float32Array {
  halves ??= Float32Array.from({ length: 0x1_0000 }, (_, bits) => halfToNumber(bits));
  return halves;
}

function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
