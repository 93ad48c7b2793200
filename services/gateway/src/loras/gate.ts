/** What stands between an uploaded file and the registry. */
import type { LoraArchitecture, LoraReport } from "@zfarm/contract";

export interface Inspected {
  /** SHA-256 of the file, hexadecimal. */
  readonly digest: string;
  readonly report: LoraReport;
}

/** Reads a file as an adapter of the model. LORA_REFUSED says what is wrong with it. */
export type LoraGate = (
  path: string,
  architecture: LoraArchitecture,
  stop: AbortSignal,
) => Promise<Inspected>;
