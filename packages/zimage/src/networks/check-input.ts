/**
 * Checks what a caller hands to a network, so that a bad request is told apart from a bad model.
 */
import { ModelError } from "../errors.ts";

/** Throws INPUT_INVALID naming the field, unless the condition holds. */
export function checkInput(condition: boolean, field: string, problem: string): asserts condition {
  if (!condition) throw new ModelError("INPUT_INVALID", `${field} ${problem}`, { field });
}

/** A tensor must have exactly the elements that its sizes ask for. */
export function checkLength(
  data: { readonly length: number },
  field: string,
  dims: readonly number[],
): void {
  const wanted = dims.reduce((product, size) => product * size, 1);
  const problem = `has ${data.length} values, [${dims.join()}] asks for ${wanted}`;
  checkInput(data.length === wanted, field, problem);
}

export interface WholeRange {
  readonly min: number;
  readonly max: number;
}

export function checkWhole(value: number, field: string, { min, max }: WholeRange): void {
  const problem = `is ${value}, must be a whole number from ${min} to ${max}`;
  checkInput(Number.isInteger(value) && value >= min && value <= max, field, problem);
}
