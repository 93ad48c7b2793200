/** Queries and keys before attention: both networks norm them and turn pairs of them. */
import type { Graph, Value } from "./operators.ts";

/** Cosines and sines of every row, [batch, row, headDim / 2] each. */
export interface Rotation {
  readonly cos: Value;
  readonly sin: Value;
}

export interface HeadSpec {
  readonly heads: number;
  readonly headDim: number;
  /** Scale of the norm, [headDim]. */
  readonly scale: Value;
  readonly epsilon: number;
  /**
   * `interleaved` turns pairs (2i, 2i+1), as the transformer does; `halves` turns pairs
   * (i, i + headDim/2), as Qwen3 does.
   */
  readonly pairing: "interleaved" | "halves";
}

/** Normalizes each head of [batch, row, heads · headDim], then turns it to its position. */
export function positionHeads(
  graph: Graph,
  rows: Value,
  options: { readonly spec: HeadSpec; readonly rotation: Rotation },
): Value {
  const { spec, rotation } = options;
  const heads = graph.reshape(rows, [0, 0, spec.heads, spec.headDim]);
  const normal = graph.rmsNorm(heads, spec.scale, spec.epsilon);
  const flat = graph.reshape(normal, [0, 0, spec.heads * spec.headDim]);
  const attributes = {
    interleaved: { int: spec.pairing === "interleaved" ? 1 : 0 },
    num_heads: { int: spec.heads },
  };
  // Positions are turned in float32, as in the reference: 8 bits would blur the far ones.
  const inputs = [graph.toFloat(flat), rotation.cos, rotation.sin];
  return graph.fromFloat(graph.node("RotaryEmbedding", inputs, { attributes }));
}
