/** Says why tensors of a file have no place in the model: what the file looks like instead. */
import type { ByteSource } from "../weights/byte-source.ts";
import { listNames, refuseLora } from "./refuse.ts";

/** Each completes "the file …". */
const families: readonly (readonly [pattern: RegExp, what: string])[] = [
  [/dora_scale|lora_magnitude_vector/, "is weight-decomposed (DoRA), which is no low-rank update"],
  [/\.hada_w[12]/, "holds Hadamard products (LoHa), which are no low-rank updates"],
  [/\.lokr_t[12]$|\.lora_mid\./, "decomposes convolutions, which this model does not have"],
  [/\.diff(_b)?$|\.set_weight$/, "holds differences of whole weights, not low-rank updates"],
  [/^(?:lora_te|text_encoder|text_model|clip_)|text_encoders?\./, "updates a text encoder"],
  [/x_embedder|cap_embedder|t_embedder|final_layer/, "updates layers outside the blocks"],
  [/double_blocks|single_blocks|single_transformer_blocks/, "looks made for FLUX"],
  [
    /transformer_blocks.*(img_m|txt_m|add_q_proj|attn_to_)/,
    "looks made for Qwen-Image or another MMDiT",
  ],
  [/joint_blocks/, "looks made for Stable Diffusion 3"],
  [/(down|up|mid|input|output|middle)_blocks?/, "looks made for Stable Diffusion or SDXL"],
  [/(^|[._])blocks[._]\d+[._](self_attn|cross_attn)/, "looks made for Wan or another video model"],
  [/siglip|control_/, "looks made for a relative of Z-Image with inputs of its own"],
];

export interface UnmatchedTensors {
  readonly names: readonly string[];
  /** Tensors of the whole file. */
  readonly total: number;
  /** Of a factor that does not fit the model, if one was seen. */
  readonly width: number | undefined;
}

/** Throws LORA_INVALID with the first few names and, where it can be told, what they are. */
export function refuseUnmatched({ names, total, width }: UnmatchedTensors): never {
  const [, what] = families.find(([pattern]) => names.some((name) => pattern.test(name))) ?? [];
  const hint = what === undefined ? describeWidth(width) : `; the file ${what}`;
  const problem = `of ${total} have no place in the model: ${listNames(names)}${hint}`;
  refuseLora(`${names.length} tensors`, problem);
}

/** Widths by which the families that share this model's names can be told. */
const widths: ReadonlyMap<number, string> = new Map([
  [2304, "Lumina-2"],
  [3840, "the released Z-Image"],
]);

/** Names the model that a factor of this width would fit; empty when none is known. */
export function describeWidth(width: number | undefined): string {
  const model = width === undefined ? undefined : widths.get(width);
  return model === undefined ? "" : `; the file looks made for ${model}`;
}

const formats: readonly (readonly [magic: readonly number[], what: string])[] = [
  [[0x50, 0x4b], "a zip archive, as PyTorch and numpy write them"],
  [[0x80, 0x02], "a pickle, which could run code"],
  [[0x80, 0x04], "a pickle, which could run code"],
  [[0x47, 0x47, 0x55, 0x46], "a GGUF file"],
  [[0x1f, 0x8b], "a gzip archive"],
];

/** Other formats are known by how they begin, which gives a better answer than a broken header. */
export async function refuseForeignFormat(source: ByteSource): Promise<void> {
  const start = new Uint8Array(Math.min(8, source.size));
  await source.read(start, 0);
  // A header of safetensors begins with its length, whose upper bytes are zero.
  if (start.subarray(5).every((byte) => byte === 0)) return;
  const [, what] = formats.find(([magic]) => magic.every((byte, at) => byte === start[at])) ?? [];
  if (what !== undefined) refuseLora("file", `is ${what}; only safetensors is read`);
}
