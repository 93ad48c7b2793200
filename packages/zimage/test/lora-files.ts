/**
 * Writes one adapter as the files of every trainer: the same update, spelled in each of the ways
 * that are found in the wild.
 */
import type { LoraAdapter, LoraFactors } from "../src/networks/lora-batch.ts";
import { headerOf } from "./safetensors-writer.ts";

export interface FileTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly values: ArrayLike<number>;
}

export interface LoraFileContent {
  readonly tensors: readonly FileTensor[];
  readonly metadata?: Readonly<Record<string, string>>;
}

export type FileDtype = "F32" | "F16" | "BF16";

/** A safetensors file in memory. */
export function encodeLoraFile(content: LoraFileContent, dtype: FileDtype = "F32"): Uint8Array {
  const entries = content.tensors.map(({ name, shape }) => ({ name, dtype, shape }));
  const chunks = content.tensors.map(({ values }) => encodeValues(values, dtype));
  return new Uint8Array(Buffer.concat([headerOf(entries, content.metadata), ...chunks]));
}

function encodeValues(values: ArrayLike<number>, dtype: FileDtype): Uint8Array {
  const floats = Float32Array.from(values);
  if (dtype === "F32") return new Uint8Array(floats.buffer);
  const bits = new Uint32Array(floats.buffer);
  const encode = dtype === "BF16" ? (word: number) => word >>> 16 : toHalf;
  return new Uint8Array(Uint16Array.from(bits, encode).buffer);
}

/** Cuts off what float16 does not hold; subnormal numbers become zero. */
function toHalf(word: number): number {
  const sign = (word >>> 16) & 0x8000;
  const exponent = ((word >>> 23) & 0xff) - 127 + 15;
  if (exponent >= 31) return sign | 0x7c00 | (word & 0x7f_ffff ? 1 : 0);
  return exponent <= 0 ? sign : sign | (exponent << 10) | ((word >>> 13) & 0x3ff);
}

export interface Spelling {
  /** The dialect that the reader should recognise. */
  readonly dialect: string;
  readonly write: (adapter: LoraAdapter) => LoraFileContent;
}

/**
 * Every spelling of an adapter whose modules all have the same scale. `diffusers` keeps alpha in
 * the metadata, `-bare` nowhere; `-nameless` has a second underscore for an outer module without a
 * name; the four last have ComfyUI's fused modules, and `both-layouts` the split ones beside them.
 */
export const spellings = {
  diffusers: {
    dialect: "diffusers",
    write: (adapter: LoraAdapter) => ({
      tensors: pairs(adapter, { prefix: "transformer.", names: peft }),
      metadata: { format: "pt", lora_adapter_metadata: JSON.stringify(peftConfig(adapter)) },
    }),
  },
  "diffusers-alpha": {
    dialect: "diffusers",
    write: (adapter: LoraAdapter) => ({
      tensors: pairs(adapter, { prefix: "transformer.", names: peft, alpha: true }),
    }),
  },
  "diffusers-bare": {
    dialect: "diffusers",
    write: (adapter: LoraAdapter) => ({
      tensors: pairs(unscaled(adapter), { prefix: "transformer.", names: peft }),
    }),
  },
  peft: {
    dialect: "peft",
    write: (adapter: LoraAdapter) => ({
      tensors: pairs(unscaled(adapter), { prefix: "base_model.model.", names: peft }),
    }),
  },
  "ai-toolkit": {
    dialect: "ai-toolkit",
    write: (adapter: LoraAdapter) => ({
      tensors: pairs(unscaled(adapter), { prefix: "diffusion_model.", names: peft }),
    }),
  },
  "ai-toolkit-lokr": {
    dialect: "ai-toolkit-lokr",
    write: (adapter: LoraAdapter) => ({ tensors: [...adapter.modules].flatMap(writeKronecker) }),
  },
  kohya: {
    dialect: "kohya",
    write: (adapter: LoraAdapter) => ({
      tensors: pairs(adapter, { prefix: "lora_unet_", names: kohya, alpha: true }),
    }),
  },
  "kohya-nameless": {
    dialect: "kohya",
    write: (adapter: LoraAdapter) => ({
      tensors: pairs(adapter, { prefix: "lora_unet__", names: kohya, alpha: true }),
    }),
  },
  lycoris: {
    dialect: "lycoris",
    write: (adapter: LoraAdapter) => ({
      tensors: pairs(adapter, { prefix: "lycoris_", names: kohya, alpha: true }),
    }),
  },
  diffsynth: {
    dialect: "diffsynth",
    write: (adapter: LoraAdapter) => ({
      tensors: pairs(unscaled(adapter), {
        prefix: "",
        names: { ...peft, down: "lora_A.default", up: "lora_B.default" },
      }),
    }),
  },
  comfyui: {
    dialect: "comfyui",
    write: (adapter: LoraAdapter) => ({
      tensors: pairs(fuse(adapter), { prefix: "diffusion_model.", names: peft, alpha: true }),
    }),
  },
  "comfyui-kohya": {
    dialect: "comfyui",
    write: (adapter: LoraAdapter) => ({
      tensors: pairs(fuse(adapter), { prefix: "lora_unet_", names: kohya, alpha: true }),
    }),
  },
  "comfyui-lycoris": {
    dialect: "comfyui",
    write: (adapter: LoraAdapter) => ({
      tensors: pairs(fuse(adapter), { prefix: "lycoris_", names: kohya, alpha: true }),
    }),
  },
  "both-layouts": {
    dialect: "mixed",
    write: (adapter: LoraAdapter) => {
      const spelled = { prefix: "diffusion_model.", names: peft, alpha: true };
      const own = pairs(adapter, spelled);
      const known = new Set(own.map(({ name }) => name));
      const fused = pairs(fuse(adapter), spelled).filter(({ name }) => !known.has(name));
      return { tensors: [...fused, ...own] };
    },
  },
} satisfies Readonly<Record<string, Spelling>>;

export type SpellingName = keyof typeof spellings;

export const spellingNames = Object.keys(spellings) as SpellingName[];

interface Names {
  readonly down: string;
  readonly up: string;
  readonly dot: "." | "_";
}

const peft: Names = { down: "lora_A", up: "lora_B", dot: "." };
const kohya: Names = { down: "lora_down", up: "lora_up", dot: "_" };

interface PairSpelling {
  readonly prefix: string;
  readonly names: Names;
  readonly alpha?: boolean;
}

function pairs(adapter: LoraAdapter, { prefix, names, alpha }: PairSpelling): FileTensor[] {
  return [...adapter.modules].flatMap(([module, factors]) => {
    const name = prefix + module.replaceAll(".", names.dot);
    const { rank, down, up } = factors;
    return [
      ...(alpha === true ? [alphaOf(name, factors)] : []),
      { name: `${name}.${names.down}.weight`, shape: [rank, down.length / rank], values: down },
      { name: `${name}.${names.up}.weight`, shape: [up.length / rank, rank], values: up },
    ];
  });
}

function alphaOf(name: string, { rank, scale }: LoraFactors): FileTensor {
  return { name: `${name}.alpha`, shape: [], values: [rank * scale] };
}

function peftConfig({ modules }: LoraAdapter): object {
  const [factors] = modules.values();
  const { rank = 1, scale = 1 } = factors ?? {};
  return {
    "transformer.r": rank,
    "transformer.lora_alpha": rank * scale,
    "transformer.alpha_pattern": {},
    "transformer.use_dora": false,
  };
}

/** The scale inside B, for files that have no place for it; exact for powers of two. */
function unscaled(adapter: LoraAdapter): LoraAdapter {
  const modules = [...adapter.modules].map(([name, factors]) => {
    const up = factors.up.map((value) => value * factors.scale);
    return [name, { ...factors, up, scale: 1 }] as const;
  });
  return { id: adapter.id, modules: new Map(modules) };
}

/** 1 ⊗ (B · A): the plainest product there is. */
function writeKronecker([module, factors]: readonly [string, LoraFactors]): FileTensor[] {
  const name = `diffusion_model.${module}`;
  const { rank, down, up } = factors;
  return [
    alphaOf(name, factors),
    { name: `${name}.lokr_w1`, shape: [1, 1], values: [1] },
    { name: `${name}.lokr_w2_a`, shape: [up.length / rank, rank], values: up },
    { name: `${name}.lokr_w2_b`, shape: [rank, down.length / rank], values: down },
  ];
}

/** Queries, keys and values as one module: A stacked, B block-diagonal, three times the rank. */
function fuse({ id, modules }: LoraAdapter): LoraAdapter {
  const fused = new Map<string, LoraFactors>();
  for (const [name, factors] of modules) {
    const attention = /^(.*\.attention)\.to_q$/.exec(name)?.[1];
    if (attention !== undefined) {
      const parts = ["to_q", "to_k", "to_v"].flatMap(
        (part) => modules.get(`${attention}.${part}`) ?? [],
      );
      fused.set(`${attention}.qkv`, stack(parts));
    } else if (!/\.attention\.to_[kv]$/.test(name)) {
      fused.set(name.replace("attention.to_out.0", "attention.out"), factors);
    }
  }
  return { id, modules: fused };
}

function stack(parts: readonly LoraFactors[]): LoraFactors {
  const rank = parts.reduce((sum, part) => sum + part.rank, 0);
  const down = parts.flatMap((part) => [...part.down]);
  const up: number[] = [];
  let before = 0;
  for (const part of parts) {
    for (let row = 0; row < part.up.length / part.rank; row += 1) {
      const own = part.up.slice(row * part.rank, (row + 1) * part.rank);
      const after = rank - before - part.rank;
      up.push(...Array(before).fill(0), ...own, ...Array(after).fill(0));
    }
    before += part.rank;
  }
  const scale = parts[0]?.scale ?? 1;
  return { rank, scale, down: Float32Array.from(down), up: Float32Array.from(up) };
}
