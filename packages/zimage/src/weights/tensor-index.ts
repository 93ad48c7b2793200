/**
 * Where every weight lies: the table that connects a tensor's name with bytes in a safetensors
 * file.
 */

/** Element types a checkpoint may hold; everything else is refused when the header is read. */
export type TensorDtype = "F32" | "F16" | "BF16" | "U8";

export interface TensorRef {
  readonly name: string;
  readonly dtype: TensorDtype;
  readonly shape: readonly number[];
  /** Path relative to the index's folder. */
  readonly file: string;
  /** Absolute byte offset in the file. */
  readonly offset: number;
  /** Bytes. */
  readonly length: number;
}

export interface TensorIndex {
  /** Absolute; every `file` lies below it, also after symbolic links are resolved. */
  readonly folder: string;
  readonly tensors: ReadonlyMap<string, TensorRef>;
}
