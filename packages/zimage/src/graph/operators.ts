/** The operators that the three networks are written in, as a small vocabulary over nodes. */
import type { BlockLayout } from "../weights/prepared-format.ts";
import { ModelBuilder, microsoftDomain, type NodeAttributes, type Value } from "./model-builder.ts";

/** Rows are [batch, row, feature] throughout; the last axis is the one that maths happens on. */
export class Graph extends ModelBuilder {
  /** What a low-rank update has at the least, because not every device multiplies by nothing. */
  readonly ranksMin: 0 | 1 = 0;

  /** Sizes of 1 are spread over the other side's, here and in products by element. */
  add(left: Value, right: Value): Value {
    return this.node("Add", [left, right]);
  }

  multiply(left: Value, right: Value): Value {
    return this.node("Mul", [left, right]);
  }

  matrixProduct(left: Value, right: Value): Value {
    return this.node("MatMul", [left, right]);
  }

  /**
   * left · right + sum, of matrices. In one operator the product is never a value of its own: with
   * no ranks, which is what most runs have, it would be zeros to write, to read and to add.
   */
  addProduct(left: Value, right: Value, sum: Value): Value {
    return this.node("Gemm", [left, right, sum]);
  }

  /** rows · weightᵀ, which is how checkpoints store a Linear's weight: [out, in]. */
  rowsTimesTransposed(rows: Value, weight: Value): Value {
    const attributes = { transB: { int: 1 } };
    return this.node("FusedMatMul", [rows, weight], { attributes, domain: microsoftDomain });
  }

  tanh(value: Value): Value {
    return this.node("Tanh", [value]);
  }

  /** The same for a weight in blocks of integers. */
  rowsTimesPacked(rows: Value, { layout, levels, scales }: PackedOperand): Value {
    const { rows: out, columns, bits, blockSize } = layout;
    const attributes = {
      K: { int: columns },
      N: { int: out },
      bits: { int: bits },
      block_size: { int: blockSize },
      // Rows are rounded to 8 bits per block as well; every other level is half as fast or less.
      accuracy_level: { int: 4 },
    };
    const inputs = [rows, levels, scales];
    return this.node("MatMulNBits", inputs, { attributes, domain: microsoftDomain });
  }

  /** x · sigmoid(x); the runtime fuses the pair. */
  silu(value: Value): Value {
    return this.multiply(value, this.node("Sigmoid", [value]));
  }

  /** A constant vector of equal elements. */
  repeated(element: number, size: number): Value {
    const elements = Array.from({ length: size }, () => element);
    return this.fromFloat(this.constant("float", [size], elements));
  }

  /** Scales are learned as differences from 1. */
  onePlus(value: Value): Value {
    return this.add(value, this.fromFloat(this.constant("float", [], [1])));
  }

  /** x / sqrt(mean(x²) + epsilon) · scale, over the last axis. */
  rmsNorm(value: Value, scale: Value, epsilon: number): Value {
    const attributes = { axis: { int: -1 }, epsilon: { float: epsilon } };
    return this.node("RMSNormalization", [value, scale], { attributes });
  }

  /** (x - mean) / sqrt(variance + epsilon), over a last axis of `size` features. */
  layerNorm(value: Value, size: number, epsilon: number): Value {
    const ones = this.repeated(1, size);
    const attributes = { axis: { int: -1 }, epsilon: { float: epsilon } };
    return this.node("LayerNormalization", [value, ones], { attributes });
  }

  /** 0 keeps a size, -1 takes what is left. */
  reshape(value: Value, sizes: readonly number[]): Value {
    return this.reshapeTo(value, this.constant("int64", [sizes.length], sizes));
  }

  /** To the sizes that another value has only in the run. */
  reshapeTo(value: Value, shape: Value): Value {
    return this.node("Reshape", [value, shape]);
  }

  transpose(value: Value, axes: readonly number[]): Value {
    return this.node("Transpose", [value], { attributes: { perm: { ints: axes } } });
  }

  /** Adds an axis of size 1. */
  insertAxis(value: Value, axis: number): Value {
    return this.node("Unsqueeze", [value, this.constant("int64", [1], [axis])]);
  }

  /** Joins the axes before `axis` into one, and those from it on into another; any may be empty. */
  flatten(value: Value, axis: number): Value {
    return this.node("Flatten", [value], { attributes: { axis: { int: axis } } });
  }

  concatenate(values: readonly Value[], axis: number): Value {
    return this.node("Concat", values, { attributes: { axis: { int: axis } } });
  }

  /** The sizes of axes start..end-1 (all of them when left out), as an int64 vector. */
  shapeOf(value: Value, start = 0, end?: number): Value {
    const until = end === undefined ? {} : { end: { int: end } };
    return this.node("Shape", [value], { attributes: { start: { int: start }, ...until } });
  }

  /** How many elements a value has, as an int64. */
  sizeOf(value: Value): Value {
    return this.node("Size", [value]);
  }

  /** What stands at one index (int64) of the first axis. */
  elementAt(value: Value, index: Value): Value {
    return this.node("Gather", [value, index]);
  }

  /** Elements start..end-1 (int64 vectors of one element) of a vector. */
  sliceOf(value: Value, start: Value, end: Value): Value {
    return this.node("Slice", [value, start, end]);
  }

  /** The first `count` (an int64 vector of one element) rows of [batch, row, feature]. */
  firstRows(value: Value, count: Value): Value {
    const zero = this.constant("int64", [1], [0]);
    const rowAxis = this.constant("int64", [1], [1]);
    return this.node("Slice", [value, zero, count, rowAxis]);
  }

  /** Chooses by element; the condition is bool. */
  where(condition: Value, ifTrue: Value, ifFalse: Value): Value {
    return this.node("Where", [condition, ifTrue, ifFalse]);
  }

  /** Repeats axes of size 1 until the value has the given shape. */
  expand(value: Value, shape: Value): Value {
    return this.node("Expand", [value, shape]);
  }

  /** A same-size convolution with bias, stride 1; the kernel is `size` × `size`. */
  convolution(image: Value, spec: ConvolutionSpec): Value {
    const pad = (spec.size - 1) / 2;
    return this.#convolve(image, spec, { pads: { ints: [pad, pad, pad, pad] } });
  }

  /** A convolution with stride 2 that halves the sides; it pads below and to the right only. */
  halve(image: Value, spec: ConvolutionSpec): Value {
    return this.#convolve(image, spec, {
      pads: { ints: [0, 0, 1, 1] },
      strides: { ints: [2, 2] },
    });
  }

  #convolve(image: Value, spec: ConvolutionSpec, placing: NodeAttributes): Value {
    const { name, inChannels, outChannels, size } = spec;
    const weight = this.weight(`${name}.weight`, [outChannels, inChannels, size, size]);
    const bias = this.weight(`${name}.bias`, [outChannels]);
    const attributes = { kernel_shape: { ints: [size, size] }, ...placing };
    return this.node("Conv", [image, weight, bias], { attributes });
  }

  /**
   * GroupNorm of an image [batch, channel, …]: every group becomes one channel of an instance
   * norm. The operator of that name would be expanded into far more nodes.
   */
  groupNorm(image: Value, spec: GroupNormSpec): Value {
    const { name, channels, groups, epsilon } = spec;
    const [ones, zeros] = [this.repeated(1, groups), this.repeated(0, groups)];
    const grouped = this.reshape(image, [0, groups, -1]);
    const attributes = { epsilon: { float: epsilon } };
    const normal = this.node("InstanceNormalization", [grouped, ones, zeros], { attributes });
    const restored = this.reshapeTo(normal, this.shapeOf(image));
    const scale = this.weight(`${name}.weight`, [channels], [channels, 1, 1]);
    const shift = this.weight(`${name}.bias`, [channels], [channels, 1, 1]);
    return this.add(this.multiply(restored, scale), shift);
  }

  /** Squares of `size` cells become one: [batch, (row, column, channel), height, width]. */
  patches(image: Value, size: number): Value {
    return this.node("SpaceToDepth", [image], { attributes: { blocksize: { int: size } } });
  }

  /**
   * Every row attends to every row; scale 1/√headDim. There is no mask on purpose: without one the
   * kernel works in tiles and never holds all scores at once.
   */
  fullAttention({ query, key, value }: AttentionRows, { heads }: AttentionSpec): Value {
    const attributes = { num_heads: { int: heads } };
    return this.node("MultiHeadAttention", [query, key, value], {
      attributes,
      domain: microsoftDomain,
    });
  }

  /** A row attends to itself and what stands before it; `heads / keyHeads` queries share a key. */
  causalAttention({ query, key, value }: AttentionRows, spec: SharedAttentionSpec): Value {
    const attributes = {
      is_causal: { int: 1 },
      q_num_heads: { int: spec.heads },
      kv_num_heads: { int: spec.keyHeads },
    };
    return this.node("Attention", [query, key, value], { attributes });
  }

  /** Doubles height and width by repeating pixels. */
  upsample(image: Value): Value {
    const scales = this.constant("float", [4], [1, 1, 2, 2]);
    const attributes = {
      mode: { text: "nearest" },
      nearest_mode: { text: "floor" },
      coordinate_transformation_mode: { text: "asymmetric" },
    };
    return this.node("Resize", [image, undefined, scales], { attributes });
  }
}

/** Query, key and value rows, [batch, row, heads · headDim] each. */
export interface AttentionRows {
  readonly query: Value;
  readonly key: Value;
  readonly value: Value;
}

export interface AttentionSpec {
  readonly heads: number;
  readonly headDim: number;
}

export interface SharedAttentionSpec extends AttentionSpec {
  /** Heads of keys and values. */
  readonly keyHeads: number;
}

/** A weight [out, in] whose rows are cut into blocks of integers with one scale each. */
export interface PackedOperand {
  readonly layout: BlockLayout;
  /** uint8 [out, block, bytes of a block]; zero lies in the middle of the range. */
  readonly levels: Value;
  /** [out, block]. */
  readonly scales: Value;
}

export interface ConvolutionSpec {
  readonly name: string;
  readonly inChannels: number;
  readonly outChannels: number;
  readonly size: 1 | 3;
}

export interface GroupNormSpec {
  readonly name: string;
  readonly channels: number;
  readonly groups: number;
  readonly epsilon: number;
}

export type { Value };
