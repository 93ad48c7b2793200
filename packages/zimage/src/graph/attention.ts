/**
 * Attention in the two forms of this family: per-head norms and rotary positions are common, the
 * rotary pairing, causality and shared key heads are not.
 */

import { microsoftDomain } from "./model-builder.ts";
import { type Graph, type Value } from "./operators.ts";

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

/** Query, key and value rows, [batch, row, heads · headDim] each. */
export interface AttentionRows {
  readonly query: Value;
  readonly key: Value;
  readonly value: Value;
}

/**
 * Every row attends to every row; scale 1/√headDim. There is no mask on purpose: without one the
 * kernel works in tiles and never holds all scores at once.
 */
export function fullAttention(graph: Graph, rows: AttentionRows, heads: number): Value {
  return graph.node("MultiHeadAttention", [rows.query, rows.key, rows.value], {
    attributes: { num_heads: { int: heads } },
    domain: microsoftDomain,
  });
}

/** A row attends to itself and what stands before it; `heads / keyHeads` queries share a key. */
export function causalAttention(
  graph: Graph,
  rows: AttentionRows,
  counts: { readonly heads: number; readonly keyHeads: number },
): Value {
  return graph.node("Attention", [rows.query, rows.key, rows.value], {
    attributes: {
      is_causal: { int: 1 },
      q_num_heads: { int: counts.heads },
      kv_num_heads: { int: counts.keyHeads },
    },
  });
}
