/** MT19937, the generator behind torch's CPU random numbers (Matsumoto and Nishimura, 1998). */

const size = 624;
const shift = 397;

/** A stream of 32-bit numbers; equal seeds give equal streams on every machine. */
export class MersenneTwister {
  readonly #state = new Uint32Array(size);
  #next = size;

  /** @param seed an integer of 32 bits, unsigned. */
  constructor(seed: number) {
    this.#state[0] = seed;
    for (let at = 1; at < size; at += 1) {
      const before = this.#state[at - 1] ?? 0;
      this.#state[at] = Math.imul(1_812_433_253, before ^ (before >>> 30)) + at;
    }
  }

  /** The next number, 0 to 2^32 - 1. */
  next(): number {
    if (this.#next === size) this.#twist();
    let word = this.#state[this.#next] ?? 0;
    this.#next += 1;
    word ^= word >>> 11;
    word ^= (word << 7) & 0x9d2c5680;
    word ^= (word << 15) & 0xefc60000;
    return (word ^ (word >>> 18)) >>> 0;
  }

  #twist(): void {
    const state = this.#state;
    for (let at = 0; at < size; at += 1) {
      const high = (state[at] ?? 0) & 0x80000000;
      const low = (state[(at + 1) % size] ?? 0) & 0x7fffffff;
      const mixed = (high | low) >>> 1;
      const odd = (low & 1) === 0 ? 0 : 0x9908b0df;
      state[at] = (state[(at + shift) % size] ?? 0) ^ mixed ^ odd;
    }
    this.#next = 0;
  }
}
