/**
 * The vocabulary in operators for which the runtime's WebGPU provider has kernels, and right ones:
 * what it has none for would run on the processor, and its fused attention was seen to be wrong.
 * Nothing here bears a size of 0, of which that provider's products die.
 */
import type { TensorIndex } from "../weights/tensor-index.ts";
import type { WeightOptions } from "./model-builder.ts";
import {
  type AttentionRows,
  type AttentionSpec,
  Graph,
  type SharedAttentionSpec,
  type Value,
} from "./operators.ts";

/** Fed where the target is WebGPU, [row, row]: 0 for what a row attends to, far below 0 else. */
export const causalMaskInput = "causal_mask";

/** The end of any axis. */
const endOfAxis = 2 ** 31 - 1;

/** A graph for the device that the options name. */
export function createGraph(index: TensorIndex, options: WeightOptions = {}): Graph {
  return options.target?.kind === "webgpu"
    ? new WebGpuGraph(index, options)
    : new Graph(index, options);
}

class WebGpuGraph extends Graph {
  override readonly ranksMin = 1;
  #causalMask: Value | undefined;

  /** The weight is turned once, when the model is loaded. */
  override rowsTimesTransposed(rows: Value, weight: Value): Value {
    return this.matrixProduct(rows, this.transpose(weight, [1, 0]));
  }

  /** Samples stay apart, which is the same to sums and to products. */
  override flatten(value: Value, axis: number): Value {
    return this.reshape(value, [...Array.from({ length: axis }, () => 0), -1]);
  }

  override addProduct(left: Value, right: Value, sum: Value): Value {
    return this.add(this.matrixProduct(left, right), sum);
  }

  override patches(image: Value, size: number): Value {
    const pair = (values: readonly number[]): Value => this.constant("int64", [2], values);
    const [ends, axes, steps] = [pair([endOfAxis, endOfAxis]), pair([2, 3]), pair([size, size])];
    const places = Array.from({ length: size * size }, (_, place) => {
      const start = pair([Math.floor(place / size), place % size]);
      return this.node("Slice", [image, start, ends, axes, steps]);
    });
    return this.concatenate(places, 1);
  }

  override fullAttention(rows: AttentionRows, spec: AttentionSpec): Value {
    return this.#attention(rows, { ...spec, keyHeads: spec.heads });
  }

  override causalAttention(rows: AttentionRows, spec: SharedAttentionSpec): Value {
    this.#causalMask ??= this.input(causalMaskInput, "float", ["rows", "rows"]);
    return this.#attention(rows, spec, this.#causalMask);
  }

  /** Step by step, with all scores in memory. */
  #attention(rows: AttentionRows, spec: SharedAttentionSpec, mask?: Value): Value {
    const { heads, headDim } = spec;
    const query = this.transpose(this.reshape(rows.query, [0, 0, heads, headDim]), [0, 2, 1, 3]);
    const key = this.transpose(this.#sharedHeads(rows.key, spec), [0, 2, 3, 1]);
    const value = this.transpose(this.#sharedHeads(rows.value, spec), [0, 2, 1, 3]);
    const scaled = this.multiply(query, this.constant("float", [], [1 / Math.sqrt(headDim)]));
    const scores = this.matrixProduct(scaled, key);
    const masked = mask === undefined ? scores : this.add(scores, mask);
    const shares = this.node("Softmax", [masked], { attributes: { axis: { int: -1 } } });
    const mixed = this.transpose(this.matrixProduct(shares, value), [0, 2, 1, 3]);
    return this.reshape(mixed, [0, 0, heads * headDim]);
  }

  /** [batch, row, head, headDim] with a copy of a shared head for each of its queries. */
  #sharedHeads(rows: Value, { heads, headDim, keyHeads }: SharedAttentionSpec): Value {
    const perHead = this.reshape(rows, [0, 0, keyHeads, headDim]);
    if (heads === keyHeads) return perHead;
    const owners = Array.from({ length: heads }, (_, head) =>
      Math.floor((head * keyHeads) / heads),
    );
    const indices = this.constant("int64", [heads], owners);
    return this.node("Gather", [perHead, indices], { attributes: { axis: { int: 2 } } });
  }
}
