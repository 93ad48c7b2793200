/** Takes the names of an adapter's tensors apart; what they name is decided elsewhere. */

/** Who writes files like this one; `mixed` has keys of several. */
export type LoraDialect =
  | "diffusers"
  | "peft"
  | "diffsynth"
  | "ai-toolkit"
  | "ai-toolkit-lokr"
  | "kohya"
  | "lycoris"
  | "comfyui"
  | "mixed";

/** Which factor of a module a tensor is; `w…` are those of a Kronecker product (LoKr). */
export type LoraPart = "down" | "up" | "alpha" | "w1" | "w1a" | "w1b" | "w2" | "w2a" | "w2b";

export interface LoraKey {
  readonly dialect: Exclude<LoraDialect, "ai-toolkit-lokr" | "comfyui" | "mixed">;
  /** The module's name without prefix, dotted or with underscores. */
  readonly module: string;
  readonly part: LoraPart;
}

const adapterName = String.raw`(?:\.[A-Za-z0-9_-]+)?`;
const suffixes: readonly (readonly [suffix: RegExp, part: LoraPart])[] = [
  [new RegExp(String.raw`\.(?:lora_A${adapterName}|lora_down|lora\.down)\.weight$`), "down"],
  [new RegExp(String.raw`\.(?:lora_B${adapterName}|lora_up|lora\.up)\.weight$`), "up"],
  [/\.alpha$/, "alpha"],
  [/\.lokr_w1$/, "w1"],
  [/\.lokr_w1_a$/, "w1a"],
  [/\.lokr_w1_b$/, "w1b"],
  [/\.lokr_w2$/, "w2"],
  [/\.lokr_w2_a$/, "w2a"],
  [/\.lokr_w2_b$/, "w2b"],
];

/** Some trainers flatten an empty outer module too, which leaves a second underscore. */
const prefixes: readonly (readonly [prefix: RegExp, dialect: LoraKey["dialect"]])[] = [
  [/^base_model\.model\.(?:transformer\.|diffusion_model\.)?/, "peft"],
  [/^transformer\./, "diffusers"],
  [/^(?:model\.)?diffusion_model\./, "ai-toolkit"],
  [/^lora_(?:unet|transformer)_+/, "kohya"],
  [/^lycoris_+/, "lycoris"],
];

/** Undefined when the name does not end as a factor's does. */
export function parseKey(key: string): LoraKey | undefined {
  const [suffix, part] = suffixes.find(([pattern]) => pattern.test(key)) ?? [];
  if (suffix === undefined || part === undefined) return undefined;
  const path = key.replace(suffix, "");
  const [prefix, dialect = "diffsynth"] = prefixes.find(([pattern]) => pattern.test(path)) ?? [];
  return { dialect, module: prefix === undefined ? path : path.replace(prefix, ""), part };
}
