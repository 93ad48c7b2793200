/**
 * What the transformer does to captions before they meet the picture, as a graph of its own: it
 * depends on prompt and adapters only, and so is the same in every step of a picture.
 */
import type { TransformerConfig } from "../config.ts";
import type { TensorIndex } from "../weights/tensor-index.ts";
import { biasedLinear, LoraLinears, loraSupportOf } from "./linear.ts";
import type { Value } from "./operators.ts";
import { type BlockContext, refine } from "./transformer-block.ts";
import {
  type TransformerGraph,
  type TransformerGraphOptions,
  weightsOf,
} from "./transformer-graph.ts";
import { createGraph } from "./webgpu-graph.ts";

/** Names of what a run is fed with, beside adapters. */
export const captionInputs = {
  captions: "captions",
  captionPads: "caption_pads",
  captionCos: "caption_cos",
  captionSin: "caption_sin",
} as const;

/** Output `rows` [batch, caption row, dim] is what the transformer's graph takes. */
export function buildCaptionGraph(
  config: TransformerConfig,
  index: TensorIndex,
  options: TransformerGraphOptions = {},
): TransformerGraph {
  const graph = createGraph(index, weightsOf(config, options));
  const loraSupport = options.loraSupport ?? loraSupportOf(config.dim, options.target);
  const linears = new LoraLinears(graph, loraSupport);
  const context: BlockContext = { graph, config, linears };
  const [names, rows] = [captionInputs, "caption rows"];
  const pairs = config.dim / config.heads / 2;
  const embedded = embedCaptions(context, {
    captions: graph.input(names.captions, "float", ["batch", rows, config.captionDim]),
    captionPads: graph.input(names.captionPads, "bool", ["batch", rows, 1]),
  });
  const rotation = {
    cos: graph.input(names.captionCos, "float", ["batch", rows, pairs]),
    sin: graph.input(names.captionSin, "float", ["batch", rows, pairs]),
  };
  const refined = refine(context, embedded, { stage: "context_refiner", rotation });
  graph.output("rows", graph.toFloat(refined), ["batch", rows, config.dim]);
  const { ranksMin } = graph;
  return { model: graph.toBytes("captions"), loraTargets: linears.targets, loraSupport, ranksMin };
}

interface Inputs {
  readonly captions: Value;
  readonly captionPads: Value;
}

/** Captions to rows; rows after a caption's end hold the learned pad token and are attended. */
function embedCaptions({ graph, config }: BlockContext, { captions, captionPads }: Inputs): Value {
  const scale = graph.weight("cap_embedder.0.weight", [config.captionDim]);
  const normal = graph.rmsNorm(graph.fromFloat(captions), scale, config.normEps);
  const rows = biasedLinear(graph, normal, {
    name: "cap_embedder.1",
    in: config.captionDim,
    out: config.dim,
  });
  const pad = graph.weight("cap_pad_token", [1, config.dim], [1, 1, config.dim]);
  return graph.where(captionPads, pad, rows);
}
