/** Adapters with made-up factors: in memory, and as a file that ai-toolkit could have written. */
import { open } from "node:fs/promises";
import {
  encodeSafetensorsHeader,
  expectedTransformerTensors,
  type LoraAdapter,
  type LoraFactors,
  type TransformerConfig,
} from "@zfarm/zimage";
import type { LinearSpec } from "@zfarm/zimage/lora";
import { WeightPool } from "../weight-pool.ts";

/** Gives the file's bytes. */
export async function writeMadeUpAdapter(
  path: string,
  targets: readonly LinearSpec[],
  rank: number,
): Promise<number> {
  const tensors = targets.flatMap(({ name, in: width, out }) => [
    {
      name: `diffusion_model.${name}.lora_A.weight`,
      dtype: "BF16" as const,
      shape: [rank, width],
    },
    { name: `diffusion_model.${name}.lora_B.weight`, dtype: "BF16" as const, shape: [out, rank] },
  ]);
  const header = encodeSafetensorsHeader(tensors);
  const pool = new WeightPool();
  await using file = await open(path, "w");
  await file.write(header.bytes);
  for (const tensor of tensors) {
    for (const bytes of pool.bytesOf(tensor)) await file.write(bytes);
  }
  return header.fileLength;
}

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
