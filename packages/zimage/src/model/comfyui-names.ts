/**
 * The tensors of ComfyUI's single files under the names of diffusers and transformers. Nothing is
 * copied: a fused tensor becomes rows of itself, a renamed one the same bytes.
 */
import type { HeaderTensor } from "../weights/safetensors-header.ts";

/** Beginnings of names that other programs put before those of the transformer. */
const transformerPrefixes = ["model.diffusion_model.", "diffusion_model."];

/** Whole beginnings and whole ends, so that a converted name is never converted again. */
const transformerBeginnings: readonly (readonly [string, string])[] = [
  ["x_embedder.", "all_x_embedder.2-1."],
  ["final_layer.", "all_final_layer.2-1."],
];
const transformerEnds: readonly (readonly [string, string])[] = [
  [".attention.out.weight", ".attention.to_out.0.weight"],
  [".attention.q_norm.weight", ".attention.norm_q.weight"],
  [".attention.k_norm.weight", ".attention.norm_k.weight"],
];
const fused = ".attention.qkv.weight";
/** A leftover of the family's ancestor that no code reads. */
const unused = new Set(["norm_final.weight"]);

/** The transformer of a single file, fused or not, with a prefix or without. */
export function translateTransformer(tensor: HeaderTensor): readonly HeaderTensor[] {
  const prefix = transformerPrefixes.find((one) => tensor.name.startsWith(one)) ?? "";
  const name = tensor.name.slice(prefix.length);
  if (unused.has(name)) return [];
  if (name.endsWith(fused)) return splitRows(tensor, name.slice(0, -fused.length));
  return [{ ...tensor, name: renameTransformer(name) }];
}

function renameTransformer(name: string): string {
  for (const [from, to] of transformerBeginnings) {
    if (name.startsWith(from)) return to + name.slice(from.length);
  }
  for (const [from, to] of transformerEnds) {
    if (name.endsWith(from)) return name.slice(0, -from.length) + to;
  }
  return name;
}

/** Query, key and value lie one after the other in the rows of the fused tensor. */
function splitRows(tensor: HeaderTensor, block: string): readonly HeaderTensor[] {
  const [rows = 0, ...rest] = tensor.shape;
  // Rows that three do not divide keep their name, and the check of names will refuse them.
  if (rows % 3 !== 0) return [tensor];
  const length = tensor.length / 3;
  return ["to_q", "to_k", "to_v"].map((module, at) => ({
    name: `${block}.attention.${module}.weight`,
    dtype: tensor.dtype,
    shape: [rows / 3, ...rest],
    offset: tensor.offset + at * length,
    length,
  }));
}

/** The language model is saved as a member of its trainer's class. */
export function translateTextEncoder(tensor: HeaderTensor): readonly HeaderTensor[] {
  const name = tensor.name.startsWith("model.") ? tensor.name.slice("model.".length) : tensor.name;
  return [{ ...tensor, name }];
}
