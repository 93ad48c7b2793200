/** Cuts tensors into pieces of whole rows that one thread works on at a time. */
import { join } from "node:path";
import type { TensorDtype, TensorIndex, TensorRef } from "../weights/tensor-index.ts";
import type { Range } from "./piece.ts";

/** Bytes of one piece's source: bounds the memory of a thread to about four times as much. */
const pieceBytesMax = 16 * 1024 * 1024;

/** Some rows of a tensor, along its first axis. */
export interface RowSpan {
  readonly first: number;
  readonly count: number;
  /** Rows of the whole tensor. */
  readonly total: number;
}

/** As many rows as fit into one piece, and at least one. */
export function cutRows({ shape, length }: TensorRef): RowSpan[] {
  const total = shape[0] ?? 1;
  const most = Math.max(1, Math.floor((pieceBytesMax * total) / length));
  return Array.from({ length: Math.ceil(total / most) }, (_, at) => {
    const first = at * most;
    return { first, count: Math.min(most, total - first), total };
  });
}

/** Those rows' part of a range; everything about a tensor is proportional to its rows. */
export function rowsOf(whole: Range, { first, count, total }: RowSpan): Range {
  const rowBytes = whole.length / total;
  return { path: whole.path, offset: whole.offset + first * rowBytes, length: count * rowBytes };
}

export function sourceOf(
  index: TensorIndex,
  tensor: TensorRef,
  span: RowSpan,
): Range & { readonly dtype: TensorDtype } {
  const { offset, length, dtype } = tensor;
  return { ...rowsOf({ path: join(index.folder, tensor.file), offset, length }, span), dtype };
}
