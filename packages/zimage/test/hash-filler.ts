/**
 * Deterministic numbers for weights and inputs: a hash of the tensor's name and the element's
 * index. Identical in every language, so that expected values can be made anywhere.
 */

/** FNV-1a, 32 bits, of the UTF-8 text. */
export function hashName(name: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(name)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

/** -1 to 1, a double, for element `index` of the tensor with this hash. */
function element(hash: number, index: number): number {
  let x = (hash + Math.imul(index, 0x9e3779b9)) >>> 0;
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
  x = (x ^ (x >>> 16)) >>> 0;
  return x / 2 ** 31 - 1;
}

/** An input of `count` values: float32 of scale times the filler, by default of variance 1. */
export function fillInput(name: string, count: number, scale = Math.sqrt(3)): Float32Array {
  const hash = hashName(name);
  return Float32Array.from({ length: count }, (_, at) => scale * element(hash, at));
}

/** A weight by the rule for its kind, which keeps activations of every depth in a sane range. */
export function fillWeight(name: string, shape: readonly number[]): Float32Array {
  const hash = hashName(name);
  const count = shape.reduce((product, side) => product * side, 1);
  const value = weightRule(name, shape);
  return Float32Array.from({ length: count }, (_, at) => value(element(hash, at)));
}

function weightRule(name: string, shape: readonly number[]): (u: number) => number {
  const isNorm = shape.length === 1 && name.includes("norm") && name.endsWith(".weight");
  if (isNorm || name === "cap_embedder.0.weight") return (u) => 1 + 0.1 * u;
  if (name.endsWith("pad_token")) return (u) => 0.5 * u;
  if (name.endsWith("embed_tokens.weight")) return (u) => u;
  if (shape.length === 1) return (u) => 0.05 * u;
  const fanIn = shape.slice(1).reduce((product, side) => product * side, 1);
  const bound = Math.sqrt(3 / fanIn);
  return (u) => u * bound;
}
