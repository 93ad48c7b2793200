/**
 * A LoRA whose factors come from the hash filler. It is written to a file as a trainer would and
 * read from there, so that a golden case goes through the code that the farm uses.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LoraAdapter, LoraFactors, TransformerConfig } from "@zfarm/zimage";
import {
  type LinearSpec,
  loraArchitectureOf,
  loraTargetsOf,
  readLoraForRuns,
  withFileSource,
} from "@zfarm/zimage/lora";
import { fillInput } from "../../packages/zimage/test/hash-filler.ts";
import { encodeLoraFile, spellings } from "../../packages/zimage/test/lora-files.ts";
import type { LoraSpec } from "./case-file.ts";
import { CaseError } from "./case-file.ts";

/** The adapter of a case; CaseError names a module that the transformer does not have. */
export async function createAdapter(
  spec: LoraSpec,
  config: TransformerConfig,
): Promise<LoraAdapter> {
  const architecture = loraArchitectureOf(config);
  const targets = new Map(loraTargetsOf(architecture).map((target) => [target.name, target]));
  const names = spec.layers.flatMap((layer) =>
    spec.modules.map((module) => `layers.${layer}.${module}`),
  );
  const modules = new Map(names.map((name) => [name, createFactors(name, spec, targets)]));
  const content = spellings[spec.spelling].write({ id: "golden", modules });
  const folder = await mkdtemp(join(tmpdir(), "golden-lora-"));
  try {
    const path = join(folder, "adapter.safetensors");
    await writeFile(path, encodeLoraFile(content));
    const read = await withFileSource(path, (source) => readLoraForRuns(source, architecture));
    return read.adapter;
  } finally {
    await rm(folder, { recursive: true });
  }
}

function createFactors(
  name: string,
  { rank, alpha, scale }: LoraSpec,
  targets: ReadonlyMap<string, LinearSpec>,
): LoraFactors {
  const target = targets.get(name);
  if (target === undefined) {
    throw new CaseError(`field loras: the transformer has no linear layer ${name}`);
  }
  return {
    rank,
    scale: alpha / rank,
    down: fillInput(`lora.${name}.A`, rank * target.in, scale),
    up: fillInput(`lora.${name}.B`, target.out * rank, scale),
  };
}
