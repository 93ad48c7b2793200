/** Decides what a prepared directory's weight files hold and from which bytes they are made. */
import { join } from "node:path";
import {
  expectedTextEncoderTensors,
  expectedTransformerTensors,
} from "../model/expected-tensors.ts";
import type { ModelDirectory } from "../model/open-model-directory.ts";
import { encodeSafetensorsHeader } from "../weights/encode-safetensors-header.ts";
import type { PreparedMode, PreparedTensor } from "../weights/prepared-format.ts";
import { bitsOf, blockLayout, preparedTensors } from "../weights/prepared-format.ts";
import type { TensorIndex, TensorRef } from "../weights/tensor-index.ts";
import { cutRows, rowsOf, sourceOf } from "./cut-rows.ts";
import type { Piece, Range } from "./piece.ts";

/** One weight file to be written. */
export interface PlannedFile {
  /** Path in the prepared directory. */
  readonly name: string;
  readonly header: Uint8Array;
  /** Bytes. */
  readonly length: number;
  readonly pieces: readonly PlannedPiece[];
}

/** A piece before it is known where its file lies. */
export type PlannedPiece = Omit<Piece, "index" | "written">;

/** The three files, in the order in which they are written; targets lie below `folder`. */
export function planFiles(
  model: ModelDirectory,
  mode: PreparedMode,
  folder: string,
): PlannedFile[] {
  const { transformer, textEncoder, vae } = model;
  const used = (index: TensorIndex, names: Iterable<string>) =>
    [...names].flatMap((name) => index.tensors.get(name) ?? []);
  const required = {
    transformer: expectedTransformerTensors(transformer.config).required.keys(),
    // The last layer and what follows it are never run, so they are left behind.
    textEncoder: expectedTextEncoderTensors(textEncoder.config).required.keys(),
  };
  return [
    planFile(
      { name: "transformer/diffusion_pytorch_model.safetensors", mode, folder },
      { index: transformer.tensors, tensors: used(transformer.tensors, required.transformer) },
    ),
    planFile(
      { name: "text_encoder/model.safetensors", mode, folder },
      { index: textEncoder.tensors, tensors: used(textEncoder.tensors, required.textEncoder) },
    ),
    planFile(
      { name: "vae/diffusion_pytorch_model.safetensors", mode: undefined, folder },
      { index: vae.tensors, tensors: [...vae.tensors.tensors.values()] },
    ),
  ];
}

interface Target {
  readonly name: string;
  readonly folder: string;
  /** Undefined keeps every tensor as it is. */
  readonly mode: PreparedMode | undefined;
}

interface Source {
  readonly index: TensorIndex;
  readonly tensors: readonly TensorRef[];
}

function planFile({ name, mode, folder }: Target, { index, tensors }: Source): PlannedFile {
  const outputs = tensors.map((tensor) => ({
    tensor,
    made: mode === undefined ? [keep(tensor)] : preparedTensors(tensor, mode),
  }));
  const header = encodeSafetensorsHeader(outputs.flatMap(({ made }) => made));
  const path = join(folder, name);
  const pieces = outputs.flatMap(({ tensor, made }) => {
    const places = made.map((one): Range & PreparedTensor => ({
      path,
      ...one,
      ...(header.places.get(one.name) ?? { offset: 0, length: 0 }),
    }));
    return cut(tensor, { index, places, mode });
  });
  return { name, header: header.bytes, length: header.fileLength, pieces };
}

function keep({ name, dtype, shape }: TensorRef): PreparedTensor {
  return { name, dtype, shape };
}

interface Cut {
  readonly index: TensorIndex;
  readonly places: readonly (Range & PreparedTensor)[];
  readonly mode: PreparedMode | undefined;
}

function cut(tensor: TensorRef, { index, places, mode }: Cut): PlannedPiece[] {
  const sameType = places[0]?.dtype === tensor.dtype;
  return cutRows(tensor).map((span): PlannedPiece => {
    const common = {
      tensor: tensor.name,
      source: sourceOf(index, tensor, span),
      targets: places.map((place) => rowsOf(place, span)),
    };
    if (places.length === 1 || mode === undefined || mode === "bf16") {
      return { ...common, action: sameType ? "copy" : "narrow" };
    }
    return { ...common, action: "quantize", layout: blockLayout(tensor.shape, bitsOf[mode]) };
  });
}
