/** Compares what a checkpoint holds with what its configuration promises. */
import { join } from "node:path";
import { ModelError } from "../errors.ts";
import type { OpenedTensors } from "../weights/open-tensor-index.ts";
import { quantizedNames } from "../weights/prepared-format.ts";
import type { TensorRef } from "../weights/tensor-index.ts";
import type { ExpectedTensors } from "./expected-tensors.ts";

/**
 * Throws MODEL_INVALID for a missing tensor, a wrong shape or a tensor nobody expects. The last is
 * an error because it means that the configuration is of another model: a 31st layer left unused
 * would only show in the pictures.
 */
export function checkTensors(opened: OpenedTensors, expected: ExpectedTensors): void {
  const { index, files } = opened;
  // A missing tensor lies in no file; the component's first one stands for the component.
  const component = files[0]?.path ?? index.folder;
  for (const [name, shape] of expected.required) {
    const tensor = index.tensors.get(name);
    if (tensor === undefined) refuse(component, name, `is missing; expected ${show(shape)}`);
    checkShape(opened, tensor, shape);
  }
  for (const [name, tensor] of index.tensors) {
    checkType(opened, tensor);
    if (expected.required.has(name) || isDerived(name)) continue;
    const shape = expected.optional.get(name);
    if (shape === undefined) refuse(pathOf(opened, tensor), name, "is not part of this model");
    checkShape(opened, tensor, shape);
  }
}

/** Old exports of language models carry this table although it follows from the configuration. */
function isDerived(name: string): boolean {
  return name.endsWith("rotary_emb.inv_freq");
}

/** Levels are integers, and nothing else is. */
function checkType(opened: OpenedTensors, tensor: TensorRef): void {
  const { levels } = quantizedNames("");
  if (tensor.name.endsWith(levels) === (tensor.dtype === "U8")) return;
  refuse(pathOf(opened, tensor), tensor.name, `is of ${tensor.dtype}`);
}

function checkShape(opened: OpenedTensors, tensor: TensorRef, shape: readonly number[]): void {
  const same = tensor.shape.length === shape.length && shape.every((n, i) => n === tensor.shape[i]);
  if (same) return;
  const what = `has the shape ${show(tensor.shape)}; the configuration asks for ${show(shape)}`;
  refuse(pathOf(opened, tensor), tensor.name, what);
}

/** The path by which the model directory knows the tensor's file. */
function pathOf({ index, files }: OpenedTensors, tensor: TensorRef): string {
  const real = join(index.folder, tensor.file);
  return files.find((file) => file.realPath === real)?.path ?? real;
}

function show(shape: readonly number[]): string {
  return `[${shape.join(", ")}]`;
}

function refuse(file: string, field: string, what: string): never {
  throw new ModelError("MODEL_INVALID", `${file}: tensor ${field} ${what}`, { file, field });
}
