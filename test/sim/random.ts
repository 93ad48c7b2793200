/**
 * Chance for the simulation. Every entity draws from a stream of its own, so that taking one fault
 * out of a case does not shift what happens to everybody else; without that no case would shrink.
 */

const golden = 0x9e3779b9;

/** Spreads the bits of a 32-bit number (the finalizer of MurmurHash3). */
export function mix(value: number): number {
  let bits = value | 0;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}

/** FNV-1a. */
export function hashText(text: string): number {
  let value = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
  }
  return value >>> 0;
}

/** The n-th draw is a function of seed, name and n alone. */
export class Stream {
  #state: number;

  constructor(seed: number, name: string) {
    this.#state = mix(mix(seed) ^ hashText(name));
  }

  /** Uniform in [0, 2^32). */
  next(): number {
    this.#state = (this.#state + golden) | 0;
    return mix(this.#state);
  }

  /** Uniform in [0, bound): an integer. */
  below(bound: number): number {
    return bound <= 1 ? 0 : this.next() % bound;
  }

  /** Uniform in [low, high]: an integer. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  /** True with this probability; nothing is drawn where it is 0. */
  chance(probability: number): boolean {
    return probability > 0 && this.next() < probability * 0x1_0000_0000;
  }

  pick<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new RangeError("nothing to pick from");
    return item;
  }
}
