/**
 * Qwen3 up to the state that the transformer is fed with: the residual stream before the last
 * layer, without the final norm. Attention is causal, so rows to the right never change a row.
 */
import type { TextEncoderConfig } from "../config.ts";
import type { TensorIndex } from "../weights/tensor-index.ts";
import { positionHeads, type Rotation } from "./attention.ts";
import type { WeightOptions } from "./model-builder.ts";
import type { Graph, Value } from "./operators.ts";
import { createGraph } from "./webgpu-graph.ts";
import { timesWeight } from "./weight-product.ts";

/** Names of what a run is fed with. */
export const textEncoderInputs = { ids: "ids", cos: "cos", sin: "sin" } as const;

/** Output `hidden` [batch, row, hidden]. */
export function buildTextEncoderGraph(
  config: TextEncoderConfig,
  index: TensorIndex,
  options: WeightOptions = {},
): Uint8Array {
  const graph = createGraph(index, options);
  const ids = graph.input(textEncoderInputs.ids, "int64", ["batch", "rows"]);
  const pairs = config.headDim / 2;
  const rotation = {
    cos: graph.input(textEncoderInputs.cos, "float", ["batch", "rows", pairs]),
    sin: graph.input(textEncoderInputs.sin, "float", ["batch", "rows", pairs]),
  };
  let rows = embed(graph, ids, config);
  for (let layer = 0; layer < config.layers - 1; layer++) {
    rows = encoderLayer({ graph, config, rotation, name: `layers.${layer}` }, rows);
  }
  graph.output("hidden", graph.toFloat(rows), ["batch", "rows", config.hidden]);
  return graph.toBytes("text-encoder");
}

/** Looks rows up before converting them, so that the large table stays as it is stored. */
function embed(graph: Graph, ids: Value, config: TextEncoderConfig): Value {
  const name = "embed_tokens.weight";
  const table = graph.storedWeight(name, [config.vocabulary, config.hidden]);
  return graph.convert(graph.node("Gather", [table, ids]), name);
}

/** What the parts of one layer share. */
interface LayerContext {
  readonly graph: Graph;
  readonly config: TextEncoderConfig;
  readonly rotation: Rotation;
  /** Prefix of the layer's tensors, such as `layers.0`. */
  readonly name: string;
}

/** Each branch reads a normed copy of the residual stream and adds its result to it. */
function encoderLayer(context: LayerContext, rows: Value): Value {
  const { graph, config, name } = context;
  const norm = (value: Value, tensor: string): Value =>
    graph.rmsNorm(value, graph.weight(`${name}.${tensor}.weight`, [config.hidden]), config.normEps);
  const attended = graph.add(rows, attend(context, norm(rows, "input_layernorm")));
  return graph.add(attended, feedForward(context, norm(attended, "post_attention_layernorm")));
}

/**
 * Queries and keys are normed per head before they are turned, values are neither; the heads of
 * keys and values are fewer, so several query heads share one.
 */
function attend(context: LayerContext, rows: Value): Value {
  const { graph, config } = context;
  const { hidden, heads, kvHeads, headDim } = config;
  const name = `${context.name}.self_attn`;
  const project = (module: string, count: number): Value =>
    timesWeight(graph, rows, { name: `${name}.${module}`, in: hidden, out: count * headDim });
  const position = (value: Value, norm: string, count: number): Value =>
    positionHeads(graph, value, {
      rotation: context.rotation,
      spec: {
        heads: count,
        headDim,
        scale: graph.weight(`${name}.${norm}.weight`, [headDim]),
        epsilon: config.normEps,
        pairing: "halves",
      },
    });
  const mixed = graph.causalAttention(
    {
      query: position(project("q_proj", heads), "q_norm", heads),
      key: position(project("k_proj", kvHeads), "k_norm", kvHeads),
      value: project("v_proj", kvHeads),
    },
    { heads, headDim, keyHeads: kvHeads },
  );
  return timesWeight(graph, mixed, { name: `${name}.o_proj`, in: heads * headDim, out: hidden });
}

/** down(silu(gate x) · up x), without biases. */
function feedForward({ graph, config, name: layer }: LayerContext, rows: Value): Value {
  const { hidden, intermediate } = config;
  const name = `${layer}.mlp`;
  const wide = (module: string): Value =>
    timesWeight(graph, rows, { name: `${name}.${module}`, in: hidden, out: intermediate });
  const inner = graph.multiply(graph.silu(wide("gate_proj")), wide("up_proj"));
  return timesWeight(graph, inner, { name: `${name}.down_proj`, in: intermediate, out: hidden });
}
