/** The adapters of a certificate: files beside a model, read as the farm reads them. */
import { readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import type { LoraAdapter, ModelDirectory } from "@zfarm/zimage";
import { loraArchitectureOf, readLora, withFileSource } from "@zfarm/zimage/lora";
import type { Case } from "./certificate.ts";
import type { StackRequest } from "./reference-request.ts";

export interface NamedAdapter {
  readonly name: string;
  readonly path: string;
  readonly adapter: LoraAdapter;
}

const extension = ".safetensors";

/** Those in the model's folder `loras`, which need not be there, in the order of their names. */
export async function readAdapters(model: ModelDirectory): Promise<NamedAdapter[]> {
  const folder = join(model.path, "loras");
  const files = await readdir(folder).catch(() => []);
  const architecture = loraArchitectureOf(model.transformer.config);
  const adapters: NamedAdapter[] = [];
  for (const file of files.filter((name) => name.endsWith(extension)).toSorted()) {
    const path = join(folder, file);
    const { adapter } = await withFileSource(path, (source) => readLora(source, architecture));
    adapters.push({ name: basename(file, extension), path, adapter });
  }
  return adapters;
}

/** Each adapter alone, the first one weakened and turned round, and all of them together. */
export function certifiedStacks(
  adapters: readonly NamedAdapter[],
  cases: readonly Case[],
): StackRequest[] {
  const [short, other] = cases;
  const [first] = adapters;
  if (short === undefined || other === undefined || first === undefined) return [];
  const alone = adapters.map(({ name, path }) => ({
    name,
    case: short.name,
    uses: [{ path, weight: 1 }],
  }));
  const turned = {
    name: `${first.name} at -0.5`,
    case: other.name,
    uses: [{ path: first.path, weight: -0.5 }],
  };
  if (adapters.length === 1) return [...alone, turned];
  const together = {
    name: adapters.map(({ name }) => name).join(" + "),
    case: short.name,
    uses: adapters.map(({ path }) => ({ path, weight: 1 })),
  };
  return [...alone, turned, together];
}
