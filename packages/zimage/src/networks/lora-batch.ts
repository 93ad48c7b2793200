/**
 * Puts the LoRAs of a batch side by side along the rank, with a scale per sample and group of
 * ranks, so that samples with different adapters, or none, share one run of an unchanged session.
 */

import { kroneckerSwitch } from "../graph/kronecker-update.ts";
import { type LinearSpec, loraInputNames, ranksPerGroup } from "../graph/linear.ts";
import type { TransformerGraph } from "../graph/transformer-graph.ts";
import { invariant } from "../invariant.ts";
import { checkInput, checkLength, checkWhole } from "./check-input.ts";
import { type Join, JoinCache, type JoinedFactors } from "./join-cache.ts";
import { checkProduct, type LoraProduct, productFeeds, productRanks } from "./lora-kronecker.ts";
import { layOutFactors, paddedRank } from "./lora-layout.ts";
import type { Feed } from "./session.ts";

/**
 * The update of one module: W + strength · scale · B · A. All elements must be finite, which the
 * reader of the file checks: other samples of a run are kept out of an update by a factor of 0.
 */
export interface LoraFactors {
  readonly rank: number;
  /** alpha / rank. */
  readonly scale: number;
  /** A: [rank, in], as files store it, or as `layout` says. */
  readonly down: Float32Array;
  /** B: [out, rank], as files store it, or as `layout` says. */
  readonly up: Float32Array;
  /**
   * "run": as a run reads them, which `layOutAdapter` makes: A is [group, in, 16] and B is
   * [16 · groups, out], with zeros for the ranks that fill up the last group.
   */
  readonly layout?: "run";
}

export interface LoraAdapter {
  /** Names the content; it fixes the order of sums, so that results do not depend on the batch. */
  readonly id: string;
  /** By module name, such as `layers.0.attention.to_q`. */
  readonly modules: ReadonlyMap<string, LoraFactors>;
  /** Of other modules, by their names; only for a model with inputs for them. Absent: none. */
  readonly products?: ReadonlyMap<string, LoraProduct>;
}

export interface LoraUse {
  readonly adapter: LoraAdapter;
  readonly strength: number;
}

/** The stack of one sample; adapters add up. */
export type LoraStack = readonly LoraUse[];

/** Ranks that an adapter takes in a run: its largest module, in whole groups. */
export function ranksTaken({ modules, products = new Map() }: LoraAdapter): number {
  const ranks = [...modules.values()].map(({ rank }) => paddedRank(rank));
  return Math.max(0, ...ranks, ...[...products.values()].map(productRanks));
}

export function hasProducts(stack: LoraStack): boolean {
  return stack.some(({ adapter }) => (adapter.products?.size ?? 0) > 0);
}

/** Ranks that stacks take together in one run; an adapter that several of them use counts once. */
export function ranksOf(stacks: readonly LoraStack[]): number {
  return distinctAdapters(stacks).reduce((sum, adapter) => sum + ranksTaken(adapter), 0);
}

/** Throws INPUT_INVALID when a module is unknown or has factors of another size. */
export function checkAdapter(adapter: LoraAdapter, targets: ReadonlyMap<string, LinearSpec>): void {
  for (const [name, { rank, down, up, layout }] of adapter.modules) {
    const field = `loras.${name}`;
    const target = targets.get(name);
    checkInput(target !== undefined, field, "is not a module of the transformer");
    checkWhole(rank, `${field}.rank`, { min: 1, max: Math.min(target.in, target.out) });
    const ranks = layout === "run" ? paddedRank(rank) : rank;
    checkLength(down, `${field}.down`, [ranks, target.in]);
    checkLength(up, `${field}.up`, [target.out, ranks]);
  }
  for (const [name, product] of adapter.products ?? []) {
    checkProduct(name, product, targets.get(name));
  }
}

/** What of a graph decides how it is fed. */
export type LoraInputs = Pick<TransformerGraph, "loraTargets" | "loraSupport" | "ranksMin">;

/**
 * The inputs of every target for one run. Modules that no adapter touches get rank 0. Adapters are
 * laid out in the order of their ids.
 */
export class LoraFeeder {
  readonly #targets: readonly LinearSpec[];
  readonly #takesProducts: boolean;
  readonly #laidOut = new WeakMap<LoraFactors, LoraFactors>();
  readonly #joins: JoinCache;
  readonly #ranksMin: number;

  /** @param joinBytesMax what copies of adapters that ran side by side may take, in bytes. */
  constructor({ loraTargets, loraSupport, ranksMin = 0 }: LoraInputs, joinBytesMax: number) {
    this.#targets = loraTargets;
    this.#takesProducts = loraSupport === "pairs and products";
    this.#joins = new JoinCache(joinBytesMax);
    this.#ranksMin = ranksMin;
  }

  feeds(stacks: readonly LoraStack[]): Record<string, Feed> {
    const adapters = distinctAdapters(stacks);
    const join = this.#joins.of(adapters.map(({ id }) => id));
    const feeds: Record<string, Feed> = {};
    for (const target of this.#targets) {
      const names = loraInputNames(target.name);
      const parts = adapters.flatMap(({ modules }) => modules.get(target.name) ?? []);
      const found = join.factors(
        target.name,
        parts.map((part) => this.#layOut(part)),
      );
      const joined = found.ranks < this.#ranksMin ? zeroOfRankOne(target) : found;
      // Without an update: one group of no ranks, or of one.
      const groups = Math.max(1, Math.floor(joined.ranks / ranksPerGroup));
      const scale = new Float32Array(stacks.length * groups);
      scale.set(scalesOf(target.name, adapters, stacks));
      feeds[names.down] = { data: joined.down, dims: [groups, target.in, joined.ranks / groups] };
      feeds[names.up] = { data: joined.up, dims: [joined.ranks, target.out] };
      feeds[names.scale] = { data: scale, dims: [stacks.length, groups, 1, 1] };
    }
    if (this.#takesProducts) Object.assign(feeds, this.#productFeeds(join, adapters, stacks));
    this.#joins.trim();
    return feeds;
  }

  #productFeeds(
    join: Join,
    adapters: readonly LoraAdapter[],
    stacks: readonly LoraStack[],
  ): Record<string, Feed> {
    const any = stacks.some(hasProducts);
    invariant(!any || stacks.length === 1, "a sample with products runs alone");
    const feeds: Record<string, Feed> = {
      [kroneckerSwitch]: { data: Uint8Array.of(any ? 1 : 0), dims: [1] },
    };
    for (const { name } of this.#targets) {
      const scaled = adapters.flatMap((adapter) => {
        const product = adapter.products?.get(name);
        if (product === undefined) return [];
        return { product, scale: product.scale * strengthOf(adapter, stacks[0] ?? []) };
      });
      const factors = join.products(
        name,
        scaled.map(({ product }) => product.factors),
      );
      Object.assign(feeds, productFeeds(name, scaled, factors));
    }
    return feeds;
  }

  #layOut(factors: LoraFactors): LoraFactors {
    const known = factors.layout === "run" ? factors : this.#laidOut.get(factors);
    if (known !== undefined) return known;
    const laidOut = layOutFactors(factors);
    this.#laidOut.set(factors, laidOut);
    return laidOut;
  }
}

function zeroOfRankOne(target: LinearSpec): JoinedFactors {
  return { ranks: 1, down: new Float32Array(target.in), up: new Float32Array(target.out) };
}

function distinctAdapters(stacks: readonly LoraStack[]): LoraAdapter[] {
  const byId = new Map(stacks.flat().map(({ adapter }) => [adapter.id, adapter]));
  return [...byId.values()].toSorted((a, b) => (a.id < b.id ? -1 : 1));
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
      const strength = strengthOf(adapter, stack);
      return Array.from(
        { length: paddedRank(factors.rank) / ranksPerGroup },
        () => strength * factors.scale,
      );
    }),
  );
  return Float32Array.from(rows.flat());
}

function strengthOf({ id }: LoraAdapter, stack: LoraStack): number {
  return stack
    .filter(({ adapter }) => adapter.id === id)
    .reduce((sum, { strength }) => sum + strength, 0);
}
