/** Compares the pipeline that the farm runs with the single networks that were compared above. */
import type { ModelDirectory, Pixels } from "@zfarm/zimage";
import { openPipeline } from "@zfarm/zimage";
import { equalBound } from "./bounds.ts";
import type { Line } from "./certificate.ts";
import { judge } from "./certificate.ts";
import { compareBits } from "./compare.ts";
import type { Drawing } from "./drawing.ts";
import type { Setting } from "./setting.ts";

/** All networks at once: beyond this the single ones must do, which are opened one by one. */
export const pipelineBytesMax = 8 * 2 ** 30;

/** Bytes of all weights in float32. */
export function weightBytes({ textEncoder, transformer, vae }: ModelDirectory): number {
  const refs = [textEncoder, transformer, vae].flatMap((one) => [...one.tensors.tensors.values()]);
  return refs.reduce((sum, { shape }) => sum + 4 * shape.reduce((a, b) => a * b, 1), 0);
}

export async function checkPipeline(
  { model, mode, options }: Setting,
  drawings: readonly Drawing[],
  pixels: ReadonlyMap<string, Pixels>,
): Promise<Line[]> {
  const pipeline = await openPipeline(model.path, options);
  try {
    const lines: Line[] = [];
    for (const { name, spec, loras } of drawings) {
      const drawn = await pipeline.render({ ...spec, seed: BigInt(spec.seed) }, { loras });
      const measured = compareBits(drawn.data, pixels.get(name)?.data ?? new Uint8Array());
      const about = { mode, part: "pipeline", subject: name };
      lines.push(judge({ ...about, measured, bound: equalBound }));
    }
    return lines;
  } finally {
    await pipeline.close();
  }
}
