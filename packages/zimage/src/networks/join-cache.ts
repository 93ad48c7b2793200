/**
 * Adapters side by side along the rank, module by module. Where one adapter alone touches a module
 * its own arrays are used; where several do, they are copied into one, and the copies are kept for
 * the next steps: within a bound in bytes, the lists of adapters that were used last.
 */
import { joinFloats } from "./join-floats.ts";
import type { LoraFactors } from "./lora-batch.ts";
import { paddedRank } from "./lora-layout.ts";

/** What a run reads for one module. */
export interface JoinedFactors {
  readonly ranks: number;
  /** [group, in, 16]. */
  readonly down: Float32Array;
  /** [ranks, out]. */
  readonly up: Float32Array;
}

const nothing = new Float32Array(0);
const noFactors: JoinedFactors = { ranks: 0, down: nothing, up: nothing };

/** The copies of one list of adapters, by module. */
export class Join {
  bytes = 0;
  readonly #copies = new Map<string, JoinedFactors>();
  readonly #products = new Map<string, Float32Array>();

  /** @param parts laid out for runs, in the list's order; the same list has the same parts. */
  factors(module: string, parts: readonly LoraFactors[]): JoinedFactors {
    const [only, ...others] = parts;
    if (only === undefined) return noFactors;
    // Not kept: an adapter that was let go would stay in memory.
    if (others.length === 0) return { ...only, ranks: paddedRank(only.rank) };
    const known = this.#copies.get(module);
    if (known !== undefined) return known;
    const copy = copySideBySide(parts);
    this.#copies.set(module, copy);
    this.bytes += copy.down.byteLength + copy.up.byteLength;
    return copy;
  }

  /** @param parts factors of Kronecker products; as for `factors`. */
  products(module: string, parts: readonly Float32Array[]): Float32Array {
    const [only = nothing, ...others] = parts;
    if (others.length === 0) return only;
    const known = this.#products.get(module);
    if (known !== undefined) return known;
    const copy = joinFloats(parts);
    this.#products.set(module, copy);
    this.bytes += copy.byteLength;
    return copy;
  }
}

export class JoinCache {
  readonly #bytesMax: number;
  /** By the ids of the adapters, in the order of use, the latest last. */
  readonly #joins = new Map<string, Join>();

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** An id names the content, so an adapter that was let go and read again finds its copies. */
  of(ids: readonly string[]): Join {
    const key = JSON.stringify(ids);
    const join = this.#joins.get(key) ?? new Join();
    this.#joins.delete(key);
    if (ids.length > 1) this.#joins.set(key, join);
    return join;
  }

  /** Lets go of what was used longest ago; the latest stays however large it is. */
  trim(): void {
    let bytes = [...this.#joins.values()].reduce((sum, join) => sum + join.bytes, 0);
    for (const [key, join] of this.#joins) {
      if (bytes <= this.#bytesMax || this.#joins.size === 1) return;
      this.#joins.delete(key);
      bytes -= join.bytes;
    }
  }
}

/** Both layouts have the rank outermost, so joining is laying end to end. */
function copySideBySide(parts: readonly LoraFactors[]): JoinedFactors {
  return {
    ranks: parts.reduce((sum, { rank }) => sum + paddedRank(rank), 0),
    down: joinFloats(parts.map(({ down }) => down)),
    up: joinFloats(parts.map(({ up }) => up)),
  };
}
