/** Who wants which pictures and when: seeded, so that every policy gets the very same wishes. */

export interface Adapter {
  /** Rank by popularity, 0 the most wanted. */
  readonly rank: number;
  readonly digest: string;
}

export interface Shape {
  readonly width: number;
  readonly height: number;
  readonly steps: number;
  /** Mean device time of one picture. */
  readonly renderMs: number;
}

/** A project and how it asks. */
export interface Source {
  readonly project: string;
  readonly shape: Shape;
  /** Draws adapters by popularity unless it wants always the same one. */
  readonly onlyRank?: number;
  readonly arrivals:
    | { readonly kind: "open"; readonly perSecond: number; readonly waitingMax: number }
    /** A backlog of constant size: each start brings a new task. */
    | { readonly kind: "backlog"; readonly tasks: number };
}

export interface SimulatedTask {
  readonly index: number;
  readonly source: Source;
  readonly adapter: Adapter;
  readonly renderMs: number;
  readonly arrivedAt: number;
}

const adapterCount = 500;
export const adapterBytes = 100_000_000;

/** Numbers in [0, 1) that are the same for the same seed (splitmix32). */
export function createRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 4_294_967_296;
  };
}

const adapters: readonly Adapter[] = Array.from({ length: adapterCount }, (_, rank) => ({
  rank,
  digest: rank.toString(16).padStart(64, "0"),
}));

/** Zipf with exponent 1: rank r is wanted 1 / (r + 1) times as often as rank 0. */
const cumulative = adapters.reduce<number[]>((sums, { rank }) => {
  sums.push((sums.at(-1) ?? 0) + 1 / (rank + 1));
  return sums;
}, []);

function drawAdapter(random: () => number): Adapter {
  const at = random() * (cumulative.at(-1) ?? 0);
  let low = 0;
  let high = cumulative.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((cumulative[middle] ?? 0) <= at) low = middle + 1;
    else high = middle;
  }
  return adapterAt(low);
}

function adapterAt(rank: number): Adapter {
  const adapter = adapters[rank];
  if (adapter === undefined) throw new RangeError(`no adapter of rank ${rank}`);
  return adapter;
}

export function adapterOf(digest: string): Adapter {
  return adapterAt(Number.parseInt(digest, 16));
}

/** The wishes of one source, in order. */
export class Wishes {
  readonly source: Source;
  readonly #random: () => number;

  constructor(source: Source, seed: number) {
    this.source = source;
    this.#random = createRandom(seed);
  }

  /** The next task, as it comes at `arrivedAt`; its length varies by a fifth either way. */
  next(index: number, arrivedAt: number): SimulatedTask {
    const { source } = this;
    const drawn = drawAdapter(this.#random);
    const adapter = source.onlyRank === undefined ? drawn : adapterAt(source.onlyRank);
    const renderMs = Math.round(source.shape.renderMs * (0.8 + 0.4 * this.#random()));
    return { index, source, adapter, renderMs, arrivedAt };
  }

  /** Milliseconds until the next one of an open source. */
  gapMs(perSecond: number): number {
    return (-Math.log(1 - this.#random()) * 1_000) / perSecond;
  }
}
