/**
 * The library in a process of its own, as the farm's engine has one: renders each spec that its
 * parent sends and answers how long that took, PNG included, in milliseconds.
 */
import { encodePng, openPipeline, type RenderSpec } from "@zfarm/zimage";

const [modelDir = ""] = process.argv.slice(2);
const pipeline = await openPipeline(modelDir);
const { name: model, digest: modelDigest } = pipeline.info;

process.on("message", (spec: RenderSpec) => void render(spec));
process.on("disconnect", () => process.exit(0));
process.send?.(pipeline.info);

async function render(spec: RenderSpec): Promise<void> {
  const startMs = performance.now();
  const pixels = await pipeline.render(spec);
  await encodePng(pixels, { ...spec, model, modelDigest });
  process.send?.(performance.now() - startMs);
}
