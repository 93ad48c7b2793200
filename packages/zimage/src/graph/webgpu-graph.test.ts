/**
 * The graphs as WebGPU gets them, on a processor: their operators are standard ones, so what they
 * compute can be compared where there is no adapter.
 */
import { expect, test } from "vitest";
import { writeTextEncoder, writeTransformer, writeVae } from "../../test/filled-checkpoint.ts";
import { fillInput } from "../../test/hash-filler.ts";
import { writePrepared } from "../../test/prepared-checkpoint.ts";
import { relativeError } from "../../test/relative-error.ts";
import {
  tinyAdapter,
  tinyCase,
  tinyLoraModules,
  tinyTextEncoder,
  tinyTransformer,
  tinyVae,
} from "../../test/tiny-networks.ts";
import { invariant } from "../invariant.ts";
import { LoraFeeder, type LoraStack } from "../networks/lora-batch.ts";
import { RefinedCaptions } from "../networks/refined-captions.ts";
import { rotateSequence } from "../networks/rope.ts";
import { type Feeds, openSession } from "../networks/session.ts";
import { openTextEncoder } from "../networks/text-encoder.ts";
import { openTransformer } from "../networks/transformer.ts";
import { transformerFeeds } from "../networks/transformer-feeds.ts";
import { openVaeDecoder } from "../networks/vae-decoder.ts";
import type { TensorIndex } from "../weights/tensor-index.ts";
import { buildCaptionGraph } from "./caption-graph.ts";
import { buildTextEncoderGraph, textEncoderInputs } from "./text-encoder-graph.ts";
import { buildTransformerGraph } from "./transformer-graph.ts";
import { buildVaeDecoderGraph, vaeDecoderInput } from "./vae-decoder-graph.ts";
import { causalMaskInput } from "./webgpu-graph.ts";

const target = { kind: "webgpu" } as const;
/** The order of sums differs, nothing else. */
const rounding = 1e-5;

async function run(model: Uint8Array, folder: string, feeds: Feeds): Promise<Float32Array> {
  const session = await openSession(model, folder);
  const output = await session.run(feeds);
  await session.close();
  return output;
}

/** One sample of a reference case by the graphs for WebGPU. */
async function predict(index: TensorIndex, name: "A" | "B", stack: LoraStack) {
  const captionGraph = buildCaptionGraph(tinyTransformer, index, { target });
  const captionSession = await openSession(captionGraph.model, index.folder);
  const refined = new RefinedCaptions(tinyTransformer, captionSession, captionGraph);
  const { latents, captions, times, height, width } = tinyCase(name);
  const [latent, caption, time] = [latents[0], captions[0], times[0]];
  invariant(latent && caption && time !== undefined, "the reference cases have one sample");
  const samples = [{ latent, caption: await refined.refine(caption, stack), time }];
  await refined.close();
  const graph = buildTransformerGraph(tinyTransformer, index, { target });
  const feeds = {
    ...transformerFeeds({ samples, height, width }, tinyTransformer),
    ...new LoraFeeder(graph, 0).feeds([stack]),
  };
  return await run(graph.model, index.folder, feeds);
}

const adapter = tinyAdapter("some modules", tinyLoraModules.slice(0, 9), { rank: 20 });
const stacks: readonly LoraStack[] = [[], [{ adapter, strength: 0.7 }]];

test.each(["as written", "int8", "int4"] as const)(
  "the transformer over weights that are %s predicts what it does on a processor",
  async (weights) => {
    await using source = await writeTransformer(tinyTransformer);
    const prepared =
      weights === "as written" ? undefined : await writePrepared(source.index, weights);
    const { index } = prepared ?? source;
    const transformer = await openTransformer(tinyTransformer, index, { threads: 2 });
    for (const name of ["A", "B"] as const) {
      for (const stack of stacks) {
        const [wanted] = await transformer.predict({ ...tinyCase(name), loras: [stack] });
        const output = await predict(index, name, stack);

        expect(relativeError(output, wanted)).toBeLessThan(rounding);
      }
    }
    await transformer.close();
    await prepared?.[Symbol.asyncDispose]();
  },
);

test("no low-rank update has a size of 0, which WebGPU does not survive", async () => {
  await using source = await writeTransformer(tinyTransformer);
  const graph = buildTransformerGraph(tinyTransformer, source.index, { target });

  for (const stack of stacks) {
    const feeds = Object.values(new LoraFeeder(graph, 0).feeds([stack, []]));
    expect(feeds.flatMap(({ dims }) => dims)).not.toContain(0);
  }
});

test("the text encoder shares heads of keys and looks at nothing to the right", async () => {
  await using source = await writeTextEncoder(tinyTextEncoder);
  const ids = Int32Array.from({ length: 40 }, (_, at) => (at * 37) % tinyTextEncoder.vocabulary);
  const encoder = await openTextEncoder(tinyTextEncoder, source.index, { threads: 2 });
  const [wanted] = await encoder.encode([ids]);
  await encoder.close();

  const { cos, sin } = rotateSequence(ids.length, tinyTextEncoder);
  const dims = [1, ids.length, tinyTextEncoder.headDim / 2];
  const mask = Float32Array.from({ length: ids.length ** 2 }, (_, at) =>
    at % ids.length > Math.floor(at / ids.length) ? -1e9 : 0,
  );
  const model = buildTextEncoderGraph(tinyTextEncoder, source.index, { target });
  const output = await run(model, source.index.folder, {
    [textEncoderInputs.ids]: { data: BigInt64Array.from(ids, BigInt), dims: [1, ids.length] },
    [textEncoderInputs.cos]: { data: cos, dims },
    [textEncoderInputs.sin]: { data: sin, dims },
    [causalMaskInput]: { data: mask, dims: [ids.length, ids.length] },
  });

  expect(relativeError(output, wanted)).toBeLessThan(rounding);
});

test("the decoder draws what it does on a processor", async () => {
  await using source = await writeVae(tinyVae);
  const data = fillInput("input.vae.latent", 16 * 4 * 6);
  const decoder = await openVaeDecoder(tinyVae, source.index, { threads: 2 });
  const [wanted] = await decoder.decode({ latents: [data], height: 4, width: 6 });
  await decoder.close();

  const model = buildVaeDecoderGraph(tinyVae, source.index, target);
  const { latentChannels, scalingFactor, shiftFactor } = tinyVae;
  const unscaled = data.map((value) => value / scalingFactor + shiftFactor);
  const feeds = { [vaeDecoderInput]: { data: unscaled, dims: [1, latentChannels, 4, 6] } };

  expect(relativeError(await run(model, source.index.folder, feeds), wanted)).toBeLessThan(
    rounding,
  );
});
