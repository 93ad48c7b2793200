/** Adapters with made-up factors, in memory. */
import {
  expectedTransformerTensors,
  type LoraAdapter,
  type LoraFactors,
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

/** One that touches the seven large Linears of every main layer. */
export function adapterOf(config: TransformerConfig, id: string, rank: number): LoraAdapter {
  const shapes = expectedTransformerTensors(config).required;
  const names = Array.from({ length: config.layers }, (_, layer) =>
    modules.map((module) => `layers.${layer}.${module}`),
  ).flat();
  const factorsOf = (name: string): LoraFactors => {
    const [out = 0, width = 0] = shapes.get(`${name}.weight`) ?? [];
    return {
      rank,
      scale: 1,
      down: new Float32Array(rank * width).fill(0.01),
      up: new Float32Array(rank * out).fill(0.01),
    };
  };
  return { id, modules: new Map(names.map((name) => [name, factorsOf(name)])) };
}
