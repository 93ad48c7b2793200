/** What a pipeline and the thread beside it say to each other. */
import { ModelError, type ModelErrorCode } from "../errors.ts";
import type { WeightOptions } from "../graph/model-builder.ts";
import type { EngineOptions } from "./session.ts";
import type { LatentBatch } from "./vae-decoder.ts";

/** What the thread opens: its text encoder and its decoder. */
export interface SideModel {
  readonly modelDirectory: string;
  readonly options: EngineOptions & WeightOptions;
}

export type SideOrder =
  | { readonly kind: "encode"; readonly order: number; readonly ids: readonly Int32Array[] }
  | { readonly kind: "decode"; readonly order: number; readonly batch: LatentBatch }
  /** Frees the sessions; the thread ends by itself then. */
  | { readonly kind: "close" };

export type SideAnswer =
  /** Its sessions are open. */
  | { readonly kind: "ready" }
  /** They cannot be opened, or an order failed. */
  | { readonly kind: "failed"; readonly order: number | undefined; readonly error: SideError }
  | { readonly kind: "done"; readonly order: number; readonly results: readonly Float32Array[] };

/** A ModelError as plain data: a class does not survive the way between threads. */
export interface SideError {
  readonly code: ModelErrorCode;
  readonly message: string;
  readonly file: string | undefined;
  readonly field: string | undefined;
}

export function toSideError(thrown: unknown): SideError {
  if (thrown instanceof ModelError) {
    const { code, message, file, field } = thrown;
    return { code, message, file, field };
  }
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return { code: "ENGINE_FAILED", message, file: undefined, field: undefined };
}

export function fromSideError({ code, message, file, field }: SideError): ModelError {
  const details = { ...(file === undefined ? {} : { file }), ...(field && { field }) };
  return new ModelError(code, message, details);
}
