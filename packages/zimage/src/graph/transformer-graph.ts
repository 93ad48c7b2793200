/**
 * The diffusion transformer as one graph over a batch of one latent size and one padded caption
 * length. Samples of another caption length go into another run, so no row is ever masked. Captions
 * come refined (`caption-graph.ts`): what happens to them alone does not depend on the time.
 */
import type { TransformerConfig } from "../config.ts";
import { modulationSize } from "../model/expected-tensors.ts";
import type { TensorIndex } from "../weights/tensor-index.ts";
import type { Rotation } from "./attention.ts";
import {
  biasedLinear,
  type LinearSpec,
  LoraLinears,
  type LoraSupport,
  loraSupportOf,
} from "./linear.ts";
import type { WeightOptions } from "./model-builder.ts";
import type { Graph, Value } from "./operators.ts";
import { type BlockContext, firstOfPair, refine, transformerBlock } from "./transformer-block.ts";
import { createGraph } from "./webgpu-graph.ts";

/** Fixed by the architecture, in no configuration. */
export const sinusoidWidth = 256;
const timeHidden = 1024;
const finalNormEpsilon = 1e-6;

/** Names of what a run is fed with; shapes stand in `declareInputs`. */
export const transformerInputs = {
  latents: "latents",
  time: "time",
  captionRows: "caption_rows",
  imagePadShape: "image_pad_shape",
  imageCos: "image_cos",
  imageSin: "image_sin",
  captionCos: "caption_cos",
  captionSin: "caption_sin",
} as const;

export interface TransformerGraphOptions extends WeightOptions {
  /** `loraSupportOf` the model's width when absent; `none` builds the bare network. */
  readonly loraSupport?: LoraSupport;
}

export interface TransformerGraph {
  readonly model: Uint8Array;
  /** Every Linear with LoRA inputs; each run feeds all of them, at rank 0 where it has none. */
  readonly loraTargets: readonly LinearSpec[];
  readonly loraSupport: LoraSupport;
  /** Of every module in every run, zeros where no adapter touches it; 0 when absent. */
  readonly ranksMin?: number;
}

/**
 * Narrower networks convert their weights at load. A weight that the runtime has not packed at load
 * is multiplied in strips, and the order of sums depends on the batch once a thread's part of it
 * has 64 rows or fewer: that can be from here down, at the 16 threads of a session.
 */
export const lateDimMin = 2048;

/** What becomes of the weights of this network. */
export function weightsOf(config: TransformerConfig, options: WeightOptions): WeightOptions {
  return config.dim < lateDimMin ? { ...options, conversion: "load" } : options;
}

/** Output `velocity` [batch, channel, height, width] is the raw prediction, not negated. */
export function buildTransformerGraph(
  config: TransformerConfig,
  index: TensorIndex,
  options: TransformerGraphOptions = {},
): TransformerGraph {
  const graph = createGraph(index, weightsOf(config, options));
  const loraSupport = options.loraSupport ?? loraSupportOf(config.dim, options.target);
  const linears = new LoraLinears(graph, loraSupport);
  const context: BlockContext = { graph, config, linears };
  const inputs = declareInputs(graph, config);

  const time = embedTime(graph, graph.fromFloat(inputs.time), config);
  const cells = graph.patches(inputs.latents, config.patchSize);
  const tokens = embedImage(context, cells);
  const imageRows = refine(context, padImage(context, tokens, inputs.imagePadShape), {
    stage: "noise_refiner",
    rotation: inputs.imageRotation,
    time,
  });
  const captionRows = graph.fromFloat(inputs.captionRows);
  const rotation = joinRotations(graph, inputs.imageRotation, inputs.captionRotation);
  let rows = graph.concatenate([imageRows, captionRows], 1);
  for (let layer = 0; layer < config.layers; layer++) {
    rows = transformerBlock(context, rows, { name: `layers.${layer}`, rotation, time });
  }
  const imageTokens = graph.firstRows(rows, graph.shapeOf(tokens, 1, 2));
  const patches = finalLayer(context, imageTokens, time);
  const output = foldPatches(context, patches, cells);
  graph.output("velocity", output, ["batch", config.inChannels, "height", "width"]);
  const { ranksMin } = graph;
  return {
    model: graph.toBytes("transformer"),
    loraTargets: linears.targets,
    loraSupport,
    ranksMin,
  };
}

/** The graph's inputs as values, with the rotations in pairs. */
interface Inputs {
  readonly latents: Value;
  readonly time: Value;
  readonly captionRows: Value;
  readonly imagePadShape: Value;
  readonly imageRotation: Rotation;
  readonly captionRotation: Rotation;
}

function declareInputs(graph: Graph, config: TransformerConfig): Inputs {
  const names = transformerInputs;
  const pairs = config.dim / config.heads / 2;
  const rotation = (cos: string, sin: string, rows: string): Rotation => ({
    cos: graph.input(cos, "float", ["batch", rows, pairs]),
    sin: graph.input(sin, "float", ["batch", rows, pairs]),
  });
  return {
    latents: graph.input(names.latents, "float", ["batch", config.inChannels, "height", "width"]),
    time: graph.input(names.time, "float", ["batch", 2, sinusoidWidth]),
    captionRows: graph.input(names.captionRows, "float", ["batch", "caption rows", config.dim]),
    imagePadShape: graph.input(names.imagePadShape, "int64", [3]),
    imageRotation: rotation(names.imageCos, names.imageSin, "image rows"),
    captionRotation: rotation(names.captionCos, names.captionSin, "caption rows"),
  };
}

/**
 * Sinusoids to the embedding that modulates every block. Each sample's row comes twice, because a
 * product with a single row is summed in another order than the same row among others: without the
 * twin a batch of one would differ from a batch of two.
 */
function embedTime(graph: Graph, sinusoids: Value, config: TransformerConfig): Value {
  const hidden = biasedLinear(graph, sinusoids, {
    name: "t_embedder.mlp.0",
    in: sinusoidWidth,
    out: timeHidden,
  });
  return biasedLinear(graph, graph.silu(hidden), {
    name: "t_embedder.mlp.2",
    in: timeHidden,
    out: modulationSize(config.dim),
  });
}

/** Cells [batch, (ph, pw, channel), row, column] to rows of tokens; the channel varies fastest. */
function embedImage({ graph, config }: BlockContext, cells: Value): Value {
  const features = patchFeatures(config);
  const patches = graph.transpose(graph.reshape(cells, [0, features, -1]), [0, 2, 1]);
  return biasedLinear(graph, graph.fromFloat(patches), {
    name: `all_x_embedder.${config.patchSize}-1`,
    in: features,
    out: config.dim,
  });
}

/** Appends the learned pad token up to a multiple of 32 rows; the pads are attended like others. */
function padImage({ graph, config }: BlockContext, tokens: Value, shape: Value): Value {
  const pad = graph.weight("x_pad_token", [1, config.dim], [1, 1, config.dim]);
  return graph.concatenate([tokens, graph.expand(pad, shape)], 1);
}

/** Follows the rows: whatever their order in the joined stream, each keeps its position. */
function joinRotations(graph: Graph, first: Rotation, second: Rotation): Rotation {
  return {
    cos: graph.concatenate([first.cos, second.cos], 1),
    sin: graph.concatenate([first.sin, second.sin], 1),
  };
}

/** Here, unlike in the blocks, the time embedding passes an activation first. */
function finalLayer({ graph, config }: BlockContext, rows: Value, time: Value): Value {
  const name = `all_final_layer.${config.patchSize}-1`;
  const modulation = biasedLinear(graph, graph.silu(time), {
    name: `${name}.adaLN_modulation.1`,
    in: modulationSize(config.dim),
    out: config.dim,
  });
  const scale = graph.onePlus(firstOfPair(graph, modulation));
  const normal = graph.layerNorm(rows, config.dim, finalNormEpsilon);
  return biasedLinear(graph, graph.multiply(normal, scale), {
    name: `${name}.linear`,
    in: config.dim,
    out: patchFeatures(config),
  });
}

/** The inverse of patching: rows of patches back to [batch, channel, height, width]. */
function foldPatches({ graph, config }: BlockContext, patches: Value, cells: Value): Value {
  const rows = graph.transpose(graph.toFloat(patches), [0, 2, 1]);
  const folded = graph.reshapeTo(rows, graph.shapeOf(cells));
  const attributes = { blocksize: { int: config.patchSize }, mode: { text: "DCR" } };
  return graph.node("DepthToSpace", [folded], { attributes });
}

/** Numbers in one patch: every channel of its cells. */
function patchFeatures(config: TransformerConfig): number {
  return config.patchSize ** 2 * config.inChannels;
}
