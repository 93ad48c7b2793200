/** Runs a golden case on the product's own components and describes what they compute. */
import type { Denoising, Guidance, LoraStack, LoraUse, Transformer } from "@zfarm/zimage";
import {
  denoiseStep,
  expectedTextEncoderTensors,
  expectedTransformerTensors,
  expectedVaeTensors,
  openTextEncoder,
  openTransformer,
  openVaeDecoder,
  sigmaTable,
  toPixels,
  toUnit,
  vaeFactor,
} from "@zfarm/zimage";
import { fillInput } from "../../packages/zimage/test/hash-filler.ts";
import type {
  GoldenCase,
  PipelineCase,
  TensorSpec,
  TextEncoderCase,
  TransformerCase,
  VaeCase,
} from "./case-file.ts";
import { CaseError } from "./case-file.ts";
import { createAdapter } from "./filled-lora.ts";
import { withFilledWeights } from "./filled-weights.ts";
import { describeTensor, joinTensors, normOf, splitTensor } from "./statistics.ts";

/** The object that the tool prints for a case. */
export async function runCase(goldenCase: GoldenCase): Promise<object> {
  switch (goldenCase.component) {
    case "transformer":
      return await runTransformer(goldenCase);
    case "text-encoder":
      return await runTextEncoder(goldenCase);
    case "vae-decode":
      return await runVaeDecode(goldenCase);
    case "pipeline":
      return await runPipeline(goldenCase);
  }
}

/** The values of an input. */
function fill(spec: TensorSpec): Float32Array {
  return fillInput(spec.name, countElements(spec.shape), spec.scale);
}

function countElements(shape: readonly number[]): number {
  return shape.reduce((product, side) => product * side, 1);
}

function fillCaption(spec: TensorSpec): { data: Float32Array; length: number } {
  return { data: fill(spec), length: spec.shape[0] ?? 0 };
}

async function runTransformer({ config, samples, loras }: TransformerCase): Promise<object> {
  const stack: LoraUse[] = [];
  for (const spec of loras ?? []) {
    stack.push({ adapter: await createAdapter(spec, config), strength: spec.strength });
  }
  return await withFilledWeights(expectedTransformerTensors(config), async (index) => {
    const transformer = await openTransformer(config, index);
    try {
      const outputs = await predictSamples(transformer, samples, stack);
      return {
        samples: samples.map((sample, at) =>
          describeTensor(outputs.get(at) ?? new Float32Array(), sample.latent.shape),
        ),
      };
    } finally {
      await transformer.close();
    }
  });
}

/** Samples of one latent shape run as one batch, as they would in the farm. */
async function predictSamples(
  transformer: Transformer,
  samples: TransformerCase["samples"],
  stack: LoraStack,
): Promise<Map<number, Float32Array>> {
  const outputs = new Map<number, Float32Array>();
  const groups = Map.groupBy(samples.entries(), ([, sample]) => sample.latent.shape.join());
  for (const group of groups.values()) {
    const members = group.map(([, sample]) => sample);
    const [, , height = 0, width = 0] = members[0]?.latent.shape ?? [];
    const predicted = await transformer.predict({
      latents: members.map((sample) => fill(sample.latent)),
      height,
      width,
      captions: members.map((sample) => fillCaption(sample.caption)),
      times: members.map((sample) => Math.fround(sample.t)),
      loras: members.map(() => stack),
    });
    for (const [place, [at]] of group.entries()) {
      outputs.set(at, predicted[place] ?? new Float32Array());
    }
  }
  return outputs;
}

async function runTextEncoder({ config, ids }: TextEncoderCase): Promise<object> {
  return await withFilledWeights(expectedTextEncoderTensors(config), async (index) => {
    const encoder = await openTextEncoder(config, index);
    try {
      // The state the transformer is fed with: before the last layer, without the final norm.
      const states = await encoder.encode([Int32Array.from(ids)]);
      return { hidden: describeTensor(joinTensors(states), [ids.length, config.hidden]) };
    } finally {
      await encoder.close();
    }
  });
}

interface Decoded {
  /** One picture each, [3, height, width], before clamping. */
  readonly images: readonly Float32Array[];
  readonly width: number;
  readonly height: number;
}

async function decode(
  config: VaeCase["config"],
  latents: readonly Float32Array[],
  size: { readonly height: number; readonly width: number },
): Promise<Decoded> {
  return await withFilledWeights(expectedVaeTensors(config), async (index) => {
    const decoder = await openVaeDecoder(config, index);
    try {
      const images = await decoder.decode({ latents, ...size });
      const factor = vaeFactor(config);
      return { images, width: size.width * factor, height: size.height * factor };
    } finally {
      await decoder.close();
    }
  });
}

/** Over the bytes that the farm would write, all pictures together. */
function sumOfPixels({ images, ...size }: Decoded): number {
  const sums = images.map((image) => toPixels(image, size).data.reduce((a, b) => a + b, 0));
  return sums.reduce((a, b) => a + b, 0);
}

async function runVaeDecode({ config, latent }: VaeCase): Promise<object> {
  const [count = 0, , height = 0, width = 0] = latent.shape;
  const decoded = await decode(config, splitTensor(fill(latent), count), { height, width });
  const shape = [count, 3, decoded.height, decoded.width];
  const image = describeTensor(joinTensors(decoded.images), shape);
  return { image, uint8Sum: sumOfPixels(decoded) };
}

async function runPipeline(goldenCase: PipelineCase): Promise<object> {
  const { shape } = goldenCase.latents;
  const [count = 0, channels, height = 0, width = 0] = shape;
  if (channels !== goldenCase.transformer.inChannels) {
    throw new CaseError(`field latents.shape: has ${channels} channels, not in_channels`);
  }
  const noise = splitTensor(fill(goldenCase.latents), count);
  const { guidance: scale, cfg_normalization, cfg_truncation } = goldenCase.sampler;
  const guidance = { scale, normalization: cfg_normalization, truncation: cfg_truncation };
  const batch = noise.map(
    (latents, at): Denoising => ({
      latents,
      latentHeight: height,
      latentWidth: width,
      caption: fillCaption(goldenCase.captions[at] ?? goldenCase.latents),
      guidance: guideAway(guidance, goldenCase.negatives[at]),
      sigmas: sigmaTable(goldenCase.sampler.steps, goldenCase.sampler.shift),
      stepsDone: 0,
    }),
  );
  const steps = await denoise(goldenCase, batch);
  const latents = batch.map((sample) => sample.latents);
  const decoded = await decode(goldenCase.vae, latents, { height, width });
  // The reference states the picture after clamping here, before it in `vae-decode`.
  const image = joinTensors(decoded.images).map(toUnit);
  return {
    steps,
    latents: describeTensor(joinTensors(latents), shape),
    image: describeTensor(image, [count, 3, decoded.height, decoded.width]),
    uint8Sum: sumOfPixels(decoded),
  };
}

function guideAway(guidance: Guidance, negative: TensorSpec | undefined): Denoising["guidance"] {
  return negative === undefined ? undefined : { ...guidance, negative: fillCaption(negative) };
}

/** Runs all steps; gives the norm of all latents together after each. */
async function denoise(goldenCase: PipelineCase, batch: readonly Denoising[]): Promise<number[]> {
  const { transformer: config, sampler } = goldenCase;
  return await withFilledWeights(expectedTransformerTensors(config), async (index) => {
    const transformer = await openTransformer(config, index);
    const norms: number[] = [];
    try {
      for (let step = 0; step < sampler.steps; step += 1) {
        await denoiseStep(transformer, batch);
        norms.push(normOf(joinTensors(batch.map((sample) => sample.latents))));
      }
    } finally {
      await transformer.close();
    }
    return norms;
  });
}
