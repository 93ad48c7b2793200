/** What the gate found in an adapter's file: everything a person or a scheduler asks about it. */
import type { LoraDialect } from "./parse-key.ts";

export interface LoraReport {
  /** SHA-256 of the whole file, in lower-case hex. */
  readonly digest: string;
  readonly dialect: LoraDialect;
  /** Modules of the model that the adapter updates. */
  readonly modulesMatched: number;
  /** Modules that the file names; those skipped as duplicates are counted too. */
  readonly modulesPresent: number;
  /** Modules of the model that could take an update. */
  readonly modulesOfModel: number;
  /** Smallest and largest of a module, whether it has become a low-rank pair or not. */
  readonly ranks: Range;
  /** Ranks it takes in a run: those of its largest module, in whole groups of 16. */
  readonly ranksTaken: number;
  /** Modules whose update stays a Kronecker product; with one, a picture has runs of its own. */
  readonly products: number;
  /** As the file states it, or the rank where it does not. */
  readonly alpha: Range & { readonly from: AlphaOrigin };
  readonly fileBytes: number;
  /** Of all factors as a run takes them: float32, ranks in whole groups. */
  readonly deviceBytes: number;
  /** From the trainer's notes; empty when it left none. */
  readonly triggerWords: readonly string[];
  /** Sentences about what is odd but no reason to refuse. */
  readonly warnings: readonly string[];
}

/** `rank`: the file states no alpha, so that the update is scaled by 1. */
export type AlphaOrigin = "tensors" | "metadata" | "rank";

export interface Range {
  readonly min: number;
  readonly max: number;
}
