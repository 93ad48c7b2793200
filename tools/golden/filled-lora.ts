/** A LoRA whose factors come from the hash filler. */
import type { ExpectedTensors, LoraAdapter, LoraFactors } from "@zfarm/zimage";
import { fillInput } from "../../packages/zimage/test/hash-filler.ts";
import type { LoraSpec } from "./case-file.ts";
import { CaseError } from "./case-file.ts";

interface Target {
  readonly id: string;
  /** The transformer's tensors, for the sizes of its modules. */
  readonly expected: ExpectedTensors;
}

/** The adapter of a case; CaseError names a module that the transformer does not have. */
export function createAdapter(spec: LoraSpec, target: Target): LoraAdapter {
  const names = spec.layers.flatMap((layer) =>
    spec.modules.map((module) => `layers.${layer}.${module}`),
  );
  return {
    id: target.id,
    modules: new Map(names.map((name) => [name, createFactors(name, spec, target.expected)])),
  };
}

function createFactors(name: string, spec: LoraSpec, expected: ExpectedTensors): LoraFactors {
  const { rank, alpha, scale } = spec;
  const [out, input] = expected.required.get(`${name}.weight`) ?? [];
  if (out === undefined || input === undefined) {
    throw new CaseError(`field loras: the transformer has no linear layer ${name}`);
  }
  return {
    rank,
    scale: alpha / rank,
    down: fillInput(`lora.${name}.A`, rank * input, scale),
    up: fillInput(`lora.${name}.B`, out * rank, scale),
  };
}
