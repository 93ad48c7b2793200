/** The two sides of a tensor that has to be a matrix. */
import type { HeaderTensor } from "../weights/safetensors-header.ts";
import { refuseLora } from "./refuse.ts";

/** Rows and columns; LORA_INVALID for anything else, and for a side of 0. */
export function matrixShapeOf(tensor: HeaderTensor): readonly [rows: number, columns: number] {
  const [rows = 0, columns = 0] = tensor.shape;
  if (tensor.shape.length !== 2 || rows === 0 || columns === 0) {
    refuseLora(tensor.name, `has the shape [${tensor.shape.join()}], must be a matrix`);
  }
  return [rows, columns];
}
