/** Adapters' updates that are Kronecker products: what they take of a run, and how they are fed. */
import {
  type KroneckerSizes,
  kroneckerInputNames,
  layoutRow,
  layoutWidth,
} from "../graph/kronecker-update.ts";
import { type LinearSpec, ranksPerGroup, runRanksMax } from "../graph/linear.ts";
import { checkInput, checkLength, checkWhole } from "./check-input.ts";
import type { Feed } from "./session.ts";

/** The update of one module: W + strength · scale · (first ⊗ second). All elements are finite. */
export interface LoraProduct extends KroneckerSizes {
  readonly scale: number;
  /** The elements of the first factor row by row, and behind them those of the second. */
  readonly factors: Float32Array;
}

/** Elements of both factors. */
export function productElements({ first, second }: KroneckerSizes): number {
  return first.rows * first.columns + second.rows * second.columns;
}

/** Bytes on a device. */
export function productBytes(sizes: KroneckerSizes): number {
  return productElements(sizes) * Float32Array.BYTES_PER_ELEMENT;
}

/** Numbers of a row between the two steps of a product. */
export function numbersBetween({ first, second }: KroneckerSizes): number {
  return first.columns * second.rows;
}

/**
 * Factors as trainers make them have no more than their module's larger side, which may be three
 * modules in one; others could ask for any amount of memory.
 */
export function mostBetween(target: { readonly in: number; readonly out: number }): number {
  return 3 * Math.max(target.in, target.out);
}

/**
 * Ranks that a product counts as: those of a low-rank update that takes as long, in whole groups,
 * and never more than a run has. A picture with a product has a run of its own in any case.
 */
export function productRanks({ first, second }: KroneckerSizes): number {
  const [out, width] = [first.rows * second.rows, first.columns * second.columns];
  const perRow = second.rows * (width + first.rows * first.columns);
  const groups = Math.ceil(perRow / (width + out) / ranksPerGroup);
  return Math.min(groups * ranksPerGroup, runRanksMax);
}

/** Throws INPUT_INVALID when the module is unknown or the product has another size. */
export function checkProduct(
  name: string,
  product: LoraProduct,
  target: LinearSpec | undefined,
): void {
  const field = `loras.${name}`;
  const { first, second, factors } = product;
  checkInput(target !== undefined, field, "is not a module of the transformer");
  checkWhole(first.rows * second.rows, `${field}.out`, { min: target.out, max: target.out });
  checkWhole(first.columns * second.columns, `${field}.in`, { min: target.in, max: target.in });
  checkWhole(numbersBetween(product), `${field}.between`, { min: 1, max: mostBetween(target) });
  checkLength(factors, `${field}.factors`, [productElements(product)]);
}

/** A product with all that scales it. */
export interface ScaledProduct {
  readonly product: LoraProduct;
  readonly scale: number;
}

/** @param factors of all the products, one after another. */
export function productFeeds(
  module: string,
  products: readonly ScaledProduct[],
  factors: Float32Array,
): Record<string, Feed> {
  const names = kroneckerInputNames(module);
  const rows: number[] = [];
  let start = 0;
  for (const { product } of products) {
    rows.push(...layoutRow(product, start));
    start += productElements(product);
  }
  const scales = Float32Array.from(products, ({ scale }) => scale);
  return {
    [names.factors]: { data: factors, dims: [factors.length] },
    [names.layout]: {
      data: BigInt64Array.from(rows, BigInt),
      dims: [products.length, layoutWidth],
    },
    [names.scale]: { data: scales, dims: [products.length] },
  };
}
