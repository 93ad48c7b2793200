/** Linear layers, plain and with low-rank updates (LoRA) that arrive as inputs of each run. */

import type { Device } from "../networks/device.ts";
import { addKronecker, declareKronecker, kroneckerSwitch } from "./kronecker-update.ts";
import type { Dimension } from "./model-builder.ts";
import type { Graph, Value } from "./operators.ts";
import { timesWeight } from "./weight-product.ts";

/** One Linear of the checkpoint: its module name and widths. */
export interface LinearSpec {
  readonly name: string;
  readonly in: number;
  readonly out: number;
}

/** A use of a Linear; see `timesWeight` for `after`. */
type LinearUse = LinearSpec & { readonly after?: Value };

/**
 * Ranks of one group of a low-rank update. The first product is made group by group, because the
 * order of its sums depends on its width: with groups of one width, an update gives the same bits
 * beside any other updates.
 */
export const ranksPerGroup = 16;

/**
 * Ranks of one run, unless one picture alone has more. Up to here the second product of an update
 * is one block of the matrix library, summed rank by rank, where another sample's ranks add exact
 * zeros.
 */
export const runRanksMax = 128;

/**
 * Ranks of one module's low-rank update. Larger ones are full fine-tunes in disguise; the largest
 * that trainers offer by default is 128.
 */
export const moduleRanksMax = 256;

/** Which updates the Linears of a graph take. */
export type LoraSupport = "none" | "pairs" | "pairs and products";

/**
 * A model that is no wider than a low-rank update may be needs no inputs for Kronecker products:
 * every one of its size is a low-rank update too. On WebGPU the branches around them would run on
 * the processor.
 */
export function loraSupportOf(dim: number, target?: Device): LoraSupport {
  return dim > moduleRanksMax && target?.kind !== "webgpu" ? "pairs and products" : "pairs";
}

/** x · Wᵀ + b. */
export function biasedLinear(graph: Graph, rows: Value, spec: LinearSpec): Value {
  return addBias(graph, timesWeight(graph, rows, spec), spec);
}

function addBias(graph: Graph, rows: Value, spec: LinearSpec): Value {
  return graph.add(rows, graph.weight(`${spec.name}.bias`, [spec.out]));
}

/** Names of the three inputs that feed one module's low-rank update. */
export function loraInputNames(module: string): { down: string; scale: string; up: string } {
  return { down: `lora.${module}.A`, scale: `lora.${module}.scale`, up: `lora.${module}.B` };
}

/**
 * Applies low-rank updates to Linears and remembers which ones, so that a run can feed them all.
 * The number of groups is free per module and run. A module without an update has one group of no
 * ranks, because products do not broadcast over no groups: its update is an exact zero.
 */
export class LoraLinears {
  readonly #graph: Graph;
  readonly #enabled: boolean;
  /** Whether a run has Kronecker products; absent: the graph takes none. */
  readonly #hasProducts: Value | undefined;
  readonly #targets: LinearSpec[] = [];

  constructor(graph: Graph, support: LoraSupport) {
    this.#graph = graph;
    this.#enabled = support !== "none";
    if (support === "pairs and products") {
      this.#hasProducts = graph.input(kroneckerSwitch, "bool", [1]);
    }
  }

  /** Every module with inputs so far, in graph order. */
  get targets(): readonly LinearSpec[] {
    return this.#targets;
  }

  /**
   * x · Wᵀ + Σ over groups of s · x · A · B, with a scale s per sample and group; and the Kronecker
   * products of the run, which has one sample then.
   */
  apply(rows: Value, { after = rows, ...spec }: LinearUse): Value {
    const base = timesWeight(this.#graph, rows, { ...spec, after });
    if (!this.#enabled) return base;
    this.#targets.push(spec);
    return this.#graph.reshapeTo(this.#updated(base, rows, spec), this.#graph.shapeOf(base));
  }

  applyBiased(rows: Value, spec: LinearUse): Value {
    return addBias(this.#graph, this.apply(rows, spec), spec);
  }

  /** The base's rows with the update added, batch and row joined: [batch · row, out]. */
  #updated(base: Value, rows: Value, spec: LinearSpec): Value {
    const names = loraInputNames(spec.name);
    const [groups, width] = [`groups of ${spec.name}`, `width of groups of ${spec.name}`];
    const graph = this.#graph;
    const floats = (name: string, dims: readonly Dimension[]): Value =>
      graph.fromFloat(graph.input(name, "float", dims));
    const down = floats(names.down, [groups, spec.in, width]);
    const scale = floats(names.scale, ["batch", groups, 1, 1]);
    const up = floats(names.up, [`ranks of ${spec.name}`, spec.out]);
    // Scaled after the product, where a row has few numbers, not before it.
    const perGroup = graph.multiply(graph.matrixProduct(graph.insertAxis(rows, 1), down), scale);
    const ranks = graph.flatten(graph.transpose(perGroup, [0, 2, 1, 3]), 2);
    const addPairs = (sum: Value): Value => graph.addProduct(ranks, up, sum);
    const plain = graph.flatten(base, 2);
    if (this.#hasProducts === undefined) return addPairs(plain);
    const inputs = declareKronecker(graph, spec);
    const flat = { rows: graph.flatten(rows, 2), sum: plain };
    // Both ways end in the product that every run needs: to pass the sum on would be to copy it.
    return graph.choose(
      this.#hasProducts,
      () => addPairs(addKronecker(graph, inputs, flat)),
      () => addPairs(plain),
    );
  }
}
