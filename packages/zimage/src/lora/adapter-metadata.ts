/**
 * What diffusers writes about an adapter into the file's metadata: peft's configuration, which
 * holds the alpha that its tensors lack.
 */
import { z } from "zod";
import { alphaMax } from "./limits.ts";
import { refuseLora } from "./refuse.ts";

export interface AdapterMetadata {
  /** Undefined when the file says nothing about the module. */
  alphaOf(module: string): number | undefined;
  /** Whether alpha is divided by the root of the rank instead of the rank. */
  readonly isRankStabilized: boolean;
}

const key = "lora_adapter_metadata";
const alpha = z.number().positive().max(alphaMax);
const configuration = z.object({
  lora_alpha: alpha.optional(),
  alpha_pattern: z.record(z.string(), alpha).optional(),
  use_rslora: z.boolean().nullish(),
  use_dora: z.boolean().nullish(),
});

/** LORA_INVALID names the field of the configuration that is wrong or not supported. */
export function readAdapterMetadata(metadata: Readonly<Record<string, string>>): AdapterMetadata {
  const text = metadata[key];
  if (text === undefined) return { alphaOf: () => undefined, isRankStabilized: false };
  const parsed = configuration.safeParse(ofTransformer(parseJson(text)));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    refuseLora(`${key}.${issue?.path.join(".") ?? ""}`, issue?.message ?? "is not valid");
  }
  const { lora_alpha, alpha_pattern = {}, use_rslora, use_dora } = parsed.data;
  if (use_dora === true) refuseLora(`${key}.use_dora`, "is true; DoRA is not a low-rank update");
  const patterns = Object.entries(alpha_pattern).map(
    ([pattern, value]) => [modulePattern(pattern), value] as const,
  );
  return {
    alphaOf: (module) => patterns.find(([matches]) => matches(module))?.[1] ?? lora_alpha,
    isRankStabilized: use_rslora === true,
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    refuseLora(key, "is not JSON", cause);
  }
}

/** One file may describe several networks; each key begins with the network's name. */
function ofTransformer(value: unknown): object {
  const prefix = "transformer.";
  const entries = Object.entries(Object(value)).map(
    ([name, item]) => [name.startsWith(prefix) ? name.slice(prefix.length) : name, item] as const,
  );
  return Object.fromEntries(entries);
}

/**
 * peft treats these keys as regular expressions on the end of a module's name. Expressions of
 * strangers are not run; what trainers write is a plain name, at most anchored and escaped.
 */
function modulePattern(pattern: string): (module: string) => boolean {
  const isAnchored = pattern.startsWith("^");
  const name = pattern.replace(/^\^/, "").replace(/\$$/, "").replaceAll("\\.", ".");
  if (!/^[A-Za-z0-9_.]+$/.test(name)) {
    refuseLora(`${key}.alpha_pattern`, `has the key ${pattern}, must be a module's name`);
  }
  return (module) => module === name || (!isAnchored && module.endsWith(`.${name}`));
}
