/**
 * The one error type of this package: what a caller may handle, as opposed to a broken invariant.
 */

/**
 * `MODEL_INVALID`: the model directory is not one this code can run.
 * `MEMORY_EXCEEDED`: it does not fit into memory, by the plan or as a run has shown.
 * `OUTPUT_INVALID`: the model gave no picture: numbers that are not finite, or one colour.
 * `INPUT_INVALID`: the request is outside the model's bounds.
 * `LORA_INVALID`: the adapter's file is not one this model can use.
 * `ENGINE_FAILED`: the runtime below refused or failed.
 */
export type ModelErrorCode =
  | "MEMORY_EXCEEDED"
  | "OUTPUT_INVALID"
  | "MODEL_INVALID"
  | "INPUT_INVALID"
  | "LORA_INVALID"
  | "ENGINE_FAILED";

export interface ModelErrorDetails {
  /** The file at fault, as a path. */
  readonly file?: string;
  /** The field at fault: a configuration key, a tensor name or a member of the request. */
  readonly field?: string;
  readonly cause?: unknown;
}

/** A failure of the model, the request or the engine; the message names field, value and bound. */
export class ModelError extends Error {
  override readonly name = "ModelError";
  readonly code: ModelErrorCode;
  readonly file: string | undefined;
  readonly field: string | undefined;

  constructor(code: ModelErrorCode, message: string, details: ModelErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.file = details.file;
    this.field = details.field;
  }
}
