/** Adapters with made-up factors, in memory. */
import {
  expectedTransformerTensors,
  type LoraAdapter,
  type LoraFactors,
  type LoraProduct,
  type TransformerConfig,
} from "@zfarm/zimage";

const modules = [
  "attention.to_q",
  "attention.to_k",
  "attention.to_v",
  "attention.to_out.0",
  "feed_forward.w1",
  "feed_forward.w2",
  "feed_forward.w3",
];

interface Sides {
  readonly out: number;
  readonly width: number;
}

/** The seven large Linears of every main layer. */
function linearsOf(config: TransformerConfig): (readonly [name: string, sides: Sides])[] {
  const shapes = expectedTransformerTensors(config).required;
  const names = Array.from({ length: config.layers }, (_, layer) =>
    modules.map((module) => `layers.${layer}.${module}`),
  ).flat();
  return names.map((name) => {
    const [out = 0, width = 0] = shapes.get(`${name}.weight`) ?? [];
    return [name, { out, width }] as const;
  });
}

/** One that touches the seven large Linears of every main layer. */
export function adapterOf(config: TransformerConfig, id: string, rank: number): LoraAdapter {
  const factorsOf = ({ out, width }: Sides): LoraFactors => {
    return {
      rank,
      scale: 1,
      down: new Float32Array(rank * width).fill(0.01),
      up: new Float32Array(rank * out).fill(0.01),
    };
  };
  return {
    id,
    modules: new Map(linearsOf(config).map(([name, sides]) => [name, factorsOf(sides)])),
  };
}

/**
 * Kronecker products of two whole matrices, as LoKr of full rank has them, on the same Linears.
 * @param factor rows and columns of the first matrix; absent: near the roots of the sides.
 */
export function productsOf(config: TransformerConfig, id: string, factor?: number): LoraAdapter {
  const productOf = ({ out, width }: Sides): LoraProduct => {
    const first = { rows: factor ?? nearRoot(out), columns: factor ?? nearRoot(width) };
    const second = { rows: out / first.rows, columns: width / first.columns };
    const elements = first.rows * first.columns + second.rows * second.columns;
    return { scale: 1, first, second, factors: new Float32Array(elements).fill(0.01) };
  };
  const products = linearsOf(config).map(([name, sides]) => [name, productOf(sides)] as const);
  return { id, modules: new Map(), products: new Map(products) };
}

/** The largest divisor that is not above the root. */
function nearRoot(side: number): number {
  let divisor = Math.floor(Math.sqrt(side));
  while (side % divisor !== 0) divisor -= 1;
  return divisor;
}
