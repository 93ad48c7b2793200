/** Gathers the report of a file module by module. */
import { productBytes, productRanks } from "../networks/lora-kronecker.ts";
import { paddedRank } from "../networks/lora-layout.ts";
import type { SafetensorsHeader } from "../weights/safetensors-header.ts";
import { type LoraArchitecture, loraTargetsOf } from "./architecture.ts";
import type { ModuleUpdate } from "./convert-module.ts";
import type { GroupedTensors } from "./group-keys.ts";
import type { AlphaOrigin, LoraReport, Range } from "./lora-report.ts";
import { factorBytes } from "./plan-modules.ts";
import { listNames, refuseLora } from "./refuse.ts";
import { readTriggerWords } from "./trigger-words.ts";

export class ReportBuilder {
  readonly #header: SafetensorsHeader;
  readonly #grouped: GroupedTensors;
  readonly #ranks: number[] = [];
  readonly #alphas: number[] = [];
  readonly #origins = new Set<AlphaOrigin>();
  readonly #idle: string[] = [];
  #deviceBytes = 0;
  #ranksTaken = 0;
  #products = 0;

  constructor(header: SafetensorsHeader, grouped: GroupedTensors) {
    this.#header = header;
    this.#grouped = grouped;
  }

  add(update: ModuleUpdate): void {
    const { target, rank, scale } = update;
    if (rank === 0) {
      this.#idle.push(target.name);
      return;
    }
    this.#ranks.push(rank);
    this.#alphas.push(scale.alpha);
    this.#origins.add(scale.from);
    const isProduct = update.kind === "product";
    this.#products += isProduct ? 1 : 0;
    this.#deviceBytes += isProduct ? productBytes(update) : factorBytes(target, rank);
    const taken = isProduct ? productRanks(update) : paddedRank(rank);
    this.#ranksTaken = Math.max(this.#ranksTaken, taken);
  }

  /** LORA_INVALID when no module has any effect. */
  finish(digest: string, architecture: LoraArchitecture): LoraReport {
    const matched = this.#ranks.length + this.#idle.length;
    if (this.#ranks.length === 0) {
      refuseLora("file", `has no effect: all ${matched} modules have only zeros in a factor`);
    }
    return {
      digest,
      dialect: this.#grouped.dialect,
      modulesMatched: matched,
      modulesPresent: this.#grouped.modulesPresent,
      modulesOfModel: loraTargetsOf(architecture).length,
      ranks: rangeOf(this.#ranks),
      ranksTaken: this.#ranksTaken,
      products: this.#products,
      alpha: { ...rangeOf(this.#alphas), from: this.#alphaOrigin() },
      fileBytes: this.#header.fileLength,
      deviceBytes: this.#deviceBytes,
      triggerWords: readTriggerWords(this.#header.metadata),
      warnings: [...this.#grouped.warnings, ...this.#warnings()],
    };
  }

  #alphaOrigin(): AlphaOrigin {
    const order: readonly AlphaOrigin[] = ["tensors", "metadata", "rank"];
    return order.find((origin) => this.#origins.has(origin)) ?? "rank";
  }

  #warnings(): string[] {
    const warnings: string[] = [];
    const idle = this.#idle;
    if (idle.length > 0) {
      warnings.push(`${idle.length} modules have only zeros in a factor: ${listNames(idle)}`);
    }
    if (this.#origins.size > 1) {
      warnings.push("some modules state an alpha and some do not; those are scaled by 1");
    }
    if (this.#grouped.dialect === "peft" && this.#origins.has("rank")) {
      warnings.push("peft keeps alpha in a file of its own; it was taken as the rank");
    }
    if (isForTraining(this.#header.metadata)) {
      warnings.push("a training adapter by its name: it undoes the model's distillation");
    }
    return warnings;
  }
}

function rangeOf(values: readonly number[]): Range {
  return { min: Math.min(...values), max: Math.max(...values) };
}

/**
 * Trainers add such an adapter while another learns, and take it out for pictures: with it, a
 * distilled model is blurred at few steps.
 */
function isForTraining(metadata: Readonly<Record<string, string>>): boolean {
  return ["name", "ss_output_name", "modelspec.title"].some((key) =>
    /training[_ -]?adapter/i.test(metadata[key] ?? ""),
  );
}
