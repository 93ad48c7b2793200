/** Compares one layer, and one of each refiner, at the width of the released model. */
import { join } from "node:path";
import { openTransformer, releasedTransformer } from "@zfarm/zimage";
import type { Line } from "./certificate.ts";
import { judge } from "./certificate.ts";
import { compareTensors } from "./compare.ts";
import type { BlockRequest } from "./reference-request.ts";
import type { Setting } from "./setting.ts";
import type { TensorFile } from "./tensor-file.ts";

/**
 * The released transformer's configuration but for its depth, and for the caption rows, which are
 * those of the small model: 0.54 of 6.15 billion parameters.
 */
export function fullWidthBlock(folder: string): BlockRequest {
  return {
    folder,
    transformer: join(folder, "transformer"),
    config: {
      dim: releasedTransformer.dim,
      n_heads: releasedTransformer.heads,
      n_kv_heads: releasedTransformer.heads,
      n_layers: 1,
      n_refiner_layers: 1,
      cap_feat_dim: 128,
      axes_dims: releasedTransformer.axesDims,
      axes_lens: releasedTransformer.axesLens,
    },
    seed: 3840,
    samples: [
      { height: 16, width: 16, rows: 20, time: 0.25 },
      // 60 image tokens and 40 caption rows: both are padded.
      { height: 12, width: 20, rows: 40, time: 0.7 },
    ],
  };
}

export async function checkBlock(
  { model, mode, bounds, options }: Setting,
  block: BlockRequest,
  recorded: TensorFile,
): Promise<Line[]> {
  const { config, tensors } = model.transformer;
  const transformer = await openTransformer(config, tensors, options);
  try {
    const lines: Line[] = [];
    for (const [at, { height, width, rows, time }] of block.samples.entries()) {
      const [ours = new Float32Array()] = await transformer.predict({
        latents: [await recorded.get(`${at}.latent`)],
        height,
        width,
        captions: [{ data: await recorded.get(`${at}.caption`), length: rows }],
        times: [Math.fround(time)],
      });
      const measured = compareTensors(ours, await recorded.get(`${at}.output`));
      const subject = `${height * width} cells, ${rows} caption rows`;
      lines.push(judge({ mode, part: "full width", subject, measured, bound: bounds.component }));
    }
    return lines;
  } finally {
    await transformer.close();
  }
}
