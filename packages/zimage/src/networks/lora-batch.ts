/**
 * Puts the LoRAs of a batch side by side along the rank, with a scale per sample and group of
 * ranks, so that samples with different adapters, or none, share one run of an unchanged session.
 */

import { type LinearSpec, loraInputNames, ranksPerGroup } from "../graph/linear.ts";
import { checkInput, checkLength, checkWhole } from "./check-input.ts";
import { joinFloats } from "./join-floats.ts";
import type { Feed } from "./session.ts";

/**
 * The update of one module: W + strength · scale · B · A. All elements must be finite, which the
 * reader of the file checks: other samples of a run are kept out of an update by a factor of 0.
 */
export interface LoraFactors {
  readonly rank: number;
  /** alpha / rank. */
  readonly scale: number;
  /** A, [rank, in], as files store it. */
  readonly down: Float32Array;
  /** B, [out, rank], as files store it. */
  readonly up: Float32Array;
}

export interface LoraAdapter {
  /** Names the content; it fixes the order of sums, so that results do not depend on the batch. */
  readonly id: string;
  /** By module name, such as `layers.0.attention.to_q`. */
  readonly modules: ReadonlyMap<string, LoraFactors>;
}

export interface LoraUse {
  readonly adapter: LoraAdapter;
  readonly strength: number;
}

/** The stack of one sample; adapters add up. */
export type LoraStack = readonly LoraUse[];

/** Ranks that an adapter takes in a run: its largest module, in whole groups. */
export function ranksTaken(adapter: LoraAdapter): number {
  return Math.max(0, ...[...adapter.modules.values()].map(paddedRank));
}

/** Throws INPUT_INVALID when a module is unknown or has factors of another size. */
export function checkAdapter(adapter: LoraAdapter, targets: ReadonlyMap<string, LinearSpec>): void {
  for (const [name, { rank, down, up }] of adapter.modules) {
    const field = `loras.${name}`;
    const target = targets.get(name);
    checkInput(target !== undefined, field, "is not a module of the transformer");
    checkWhole(rank, `${field}.rank`, { min: 1, max: Math.min(target.in, target.out) });
    checkLength(down, `${field}.down`, [rank, target.in]);
    checkLength(up, `${field}.up`, [target.out, rank]);
  }
}

/**
 * The three inputs of every target for one run. Modules that no adapter touches get rank 0.
 * Adapters are laid out in the order of their ids.
 */
export class LoraFeeder {
  readonly #targets: readonly LinearSpec[];
  readonly #prepared = new WeakMap<LoraFactors, Prepared>();
  #last: { readonly adapters: readonly LoraAdapter[]; readonly factors: Factors } | undefined;

  constructor(targets: readonly LinearSpec[]) {
    this.#targets = targets;
  }

  feeds(stacks: readonly LoraStack[]): Record<string, Feed> {
    const adapters = distinctAdapters(stacks);
    const factors = this.#factorsOf(adapters);
    const feeds: Record<string, Feed> = {};
    for (const target of this.#targets) {
      const names = loraInputNames(target.name);
      const joined = factors.get(target.name) ?? noFactors;
      const groups = joined.ranks / ranksPerGroup;
      const scale = scalesOf(target.name, adapters, stacks);
      feeds[names.down] = { data: joined.down, dims: [groups, target.in, ranksPerGroup] };
      feeds[names.up] = { data: joined.up, dims: [joined.ranks, target.out] };
      feeds[names.scale] = { data: scale, dims: [stacks.length, groups, 1, 1] };
    }
    return feeds;
  }

  /** Joining copies the factors, so the last result is kept: the steps of a picture share it. */
  #factorsOf(adapters: readonly LoraAdapter[]): Factors {
    const last = this.#last;
    const same =
      last?.adapters.length === adapters.length &&
      adapters.every((adapter, index) => adapter === last.adapters[index]);
    if (last !== undefined && same) return last.factors;
    const factors = new Map<string, Prepared>();
    for (const target of this.#targets) {
      const parts = adapters.flatMap(({ modules }) => modules.get(target.name) ?? []);
      const joined = join(parts.map((part) => this.#prepare(part, target)));
      if (joined !== undefined) factors.set(target.name, joined);
    }
    this.#last = { adapters, factors };
    return factors;
  }

  #prepare(factors: LoraFactors, target: LinearSpec): Prepared {
    const known = this.#prepared.get(factors);
    if (known !== undefined) return known;
    const prepared = prepare(factors, target);
    this.#prepared.set(factors, prepared);
    return prepared;
  }
}

/** Factors in the layout of the graph: down [group, in, 16], up [ranks, out]. */
interface Prepared {
  readonly ranks: number;
  readonly down: Float32Array;
  readonly up: Float32Array;
}

type Factors = ReadonlyMap<string, Prepared>;

const noFactors: Prepared = { ranks: 0, down: new Float32Array(0), up: new Float32Array(0) };

function paddedRank({ rank }: LoraFactors): number {
  return Math.ceil(rank / ranksPerGroup) * ranksPerGroup;
}

function distinctAdapters(stacks: readonly LoraStack[]): LoraAdapter[] {
  const byId = new Map(stacks.flat().map(({ adapter }) => [adapter.id, adapter]));
  return [...byId.values()].toSorted((a, b) => (a.id < b.id ? -1 : 1));
}

function prepare(factors: LoraFactors, target: LinearSpec): Prepared {
  const ranks = paddedRank(factors);
  const down = new Float32Array(ranks * target.in);
  const up = new Float32Array(ranks * target.out);
  for (let rank = 0; rank < factors.rank; rank++) {
    const group = Math.floor(rank / ranksPerGroup) * target.in * ranksPerGroup;
    const column = rank % ranksPerGroup;
    for (let from = 0; from < target.in; from++) {
      down[group + from * ranksPerGroup + column] = factors.down[rank * target.in + from] ?? 0;
    }
    for (let to = 0; to < target.out; to++) {
      up[rank * target.out + to] = factors.up[to * factors.rank + rank] ?? 0;
    }
  }
  return { ranks, down, up };
}

/** Both layouts have the rank outermost, so joining is laying end to end. */
function join(parts: readonly Prepared[]): Prepared | undefined {
  if (parts.length <= 1) return parts[0];
  return {
    ranks: parts.reduce((sum, { ranks }) => sum + ranks, 0),
    down: joinFloats(parts.map(({ down }) => down)),
    up: joinFloats(parts.map(({ up }) => up)),
  };
}

/** [sample, group]: strength · alpha / rank where the sample uses the adapter, else 0. */
function scalesOf(
  module: string,
  adapters: readonly LoraAdapter[],
  stacks: readonly LoraStack[],
): Float32Array {
  const rows = stacks.map((stack) =>
    adapters.flatMap((adapter) => {
      const factors = adapter.modules.get(module);
      if (factors === undefined) return [];
      const strength = stack
        .filter((use) => use.adapter.id === adapter.id)
        .reduce((sum, use) => sum + use.strength, 0);
      return Array.from(
        { length: paddedRank(factors) / ranksPerGroup },
        () => strength * factors.scale,
      );
    }),
  );
  return Float32Array.from(rows.flat());
}
