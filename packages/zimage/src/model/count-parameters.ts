/** How many parameters a model's networks have, whatever they are stored as. */
import { quantizedNames } from "../weights/prepared-format.ts";
import type { TensorIndex } from "../weights/tensor-index.ts";
import type { ExpectedTensors, Shapes } from "./expected-tensors.ts";
import { expectedTextEncoderTensors, expectedTransformerTensors } from "./expected-tensors.ts";
import { expectedVaeTensors } from "./expected-vae-tensors.ts";
import type { ModelDirectory } from "./open-model-directory.ts";

export interface ComponentCount {
  /** Tensors of the network, as diffusers counts them. */
  readonly tensors: number;
  /** Parameters on disk. */
  readonly parameters: number;
  /** Parameters that a picture needs; the others are never read. */
  readonly used: number;
}

export interface ModelCounts {
  readonly transformer: ComponentCount;
  readonly textEncoder: ComponentCount;
  readonly vae: ComponentCount;
}

export function countParameters(model: ModelDirectory): ModelCounts {
  const { transformer, textEncoder, vae } = model;
  return {
    transformer: count(transformer.tensors, expectedTransformerTensors(transformer.config)),
    textEncoder: count(textEncoder.tensors, expectedTextEncoderTensors(textEncoder.config)),
    vae: count(vae.tensors, expectedVaeTensors(vae.config)),
  };
}

function count(index: TensorIndex, { required, optional }: ExpectedTensors): ComponentCount {
  const isThere = ([name]: readonly [string, unknown]) =>
    index.tensors.has(name) || index.tensors.has(quantizedNames(name).levels);
  const present = new Map([...required, ...optional].filter(isThere));
  return {
    tensors: present.size,
    parameters: sizeOf(present),
    used: sizeOf(required),
  };
}

function sizeOf(shapes: Shapes): number {
  return [...shapes.values()]
    .map((shape) => shape.reduce((product, side) => product * side, 1))
    .reduce((sum, size) => sum + size, 0);
}
