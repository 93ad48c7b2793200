/**
 * Updates of Linears that are Kronecker products, from the two factors of each as they are: as a
 * low-rank update, a product of whole matrices would have as many ranks as the layer is wide.
 */
import type { LinearSpec } from "./linear.ts";
import type { Graph, Value } from "./operators.ts";

/** Rows and columns of a matrix. */
export interface MatrixSize {
  readonly rows: number;
  readonly columns: number;
}

/** first ⊗ second has the rows and the columns of both multiplied. */
export interface KroneckerSizes {
  readonly first: MatrixSize;
  readonly second: MatrixSize;
}

/** Tells whether any module of a run has a product; without one a run computes nothing of this. */
export const kroneckerSwitch = "lora.kronecker";

/** Names of the three inputs that feed one module's products. */
export function kroneckerInputNames(module: string): {
  factors: string;
  layout: string;
  scale: string;
} {
  const prefix = `lora.${module}.kronecker`;
  return { factors: `${prefix}.factors`, layout: `${prefix}.layout`, scale: `${prefix}.scale` };
}

/** Sizes of the parts of `layoutRow`, which is also the order in which the graph reads them. */
const layoutParts = [1, 1, 1, 2, 2, 2, 3] as const;
export const layoutWidth = layoutParts.reduce((sum, part) => sum + part, 0);

/**
 * Where the factors of a product lie among those of its module, which come one after another, and
 * the shapes of everything on the way.
 */
export function layoutRow({ first, second }: KroneckerSizes, start: number): number[] {
  const middle = start + first.rows * first.columns;
  const end = middle + second.rows * second.columns;
  const places = [start, middle, end];
  const sizes = [first.rows, first.columns, second.rows, second.columns];
  const views = [-1, second.columns, -1, first.columns, second.rows];
  return [...places, ...sizes, ...views];
}

export interface KroneckerInputs {
  /** float32 [number]: the first factor of a product row by row, the second, those of the next. */
  readonly factors: Value;
  /** int64 [product, 12]: see `layoutRow`. */
  readonly layout: Value;
  /** float32 [product]. */
  readonly scale: Value;
}

export function declareKronecker(graph: Graph, { name }: LinearSpec): KroneckerInputs {
  const names = kroneckerInputNames(name);
  const products = `products of ${name}`;
  return {
    factors: graph.input(names.factors, "float", [`factors of ${name}`]),
    layout: graph.input(names.layout, "int64", [products, layoutWidth]),
    scale: graph.input(names.scale, "float", [products]),
  };
}

/**
 * sum + Σ over products of s · x · (first ⊗ second)ᵀ, for the rows of one sample; both values are
 * [row, feature]. The features of a row are taken as a matrix [b, d]: the second factor [c, d]
 * mixes its columns and the first, [a, b], its rows.
 */
export function addKronecker(
  graph: Graph,
  inputs: KroneckerInputs,
  { rows, sum }: { readonly rows: Value; readonly sum: Value },
): Value {
  const factors = graph.fromFloat(inputs.factors);
  const scales = graph.fromFloat(inputs.scale);
  const shape = graph.shapeOf(sum);
  return graph.repeat(graph.sizeOf(inputs.scale), sum, (pass, partial) => {
    const layout = graph.split(graph.elementAt(inputs.layout, pass), layoutParts);
    const [start, middle, end, firstSize, secondSize, narrowed, mixed] = layout as Layout;
    const first = graph.reshapeTo(graph.sliceOf(factors, start, middle), firstSize);
    const second = graph.reshapeTo(graph.sliceOf(factors, middle, end), secondSize);
    const columns = graph.rowsTimesTransposed(graph.reshapeTo(rows, narrowed), second);
    // The scale acts on the factor that is small.
    const scaled = graph.multiply(first, graph.elementAt(scales, pass));
    const product = graph.matrixProduct(scaled, graph.reshapeTo(columns, mixed));
    return graph.add(partial, graph.reshapeTo(product, shape));
  });
}

type Layout = [Value, Value, Value, Value, Value, Value, Value];
