/** Adapters at the released model's width, with made-up factors: in memory, and as files. */
import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import { encodeSafetensorsHeader, type LoraAdapter, layOutAdapter } from "@zfarm/zimage";
import { type LoraArchitecture, loraTargetsOf } from "@zfarm/zimage/lora";

/** Small, and never the same twice in a row. */
const valueOf = (at: number, salt: number): number => (((at * 7_919 + salt) % 256) - 128) * 1e-5;

/** An adapter of every module of the architecture, ready for runs. */
export function createAdapter(
  architecture: LoraArchitecture,
  { rank, salt }: { readonly rank: number; readonly salt: number },
): LoraAdapter {
  const fill = (length: number): Float32Array =>
    Float32Array.from({ length }, (_, at) => valueOf(at, salt));
  const modules = loraTargetsOf(architecture).map((target) => {
    const factors = { rank, scale: 1, down: fill(rank * target.in), up: fill(rank * target.out) };
    return [target.name, factors] as const;
  });
  return layOutAdapter({ id: `adapter ${salt}`, modules: new Map(modules) });
}

export interface LoraFile {
  readonly path: string;
  readonly digest: string;
  readonly bytes: number;
}

/** A file in bfloat16 as ai-toolkit writes them: every module of the main layers. */
export async function writeLoraFile(
  path: string,
  architecture: LoraArchitecture,
  { rank, salt }: { readonly rank: number; readonly salt: number },
): Promise<LoraFile> {
  const targets = loraTargetsOf(architecture).filter(({ name }) => name.startsWith("layers."));
  const tensors = targets.flatMap((target) => {
    const name = `diffusion_model.${target.name}`;
    return [
      { name: `${name}.lora_A.weight`, dtype: "BF16" as const, shape: [rank, target.in] },
      { name: `${name}.lora_B.weight`, dtype: "BF16" as const, shape: [target.out, rank] },
    ];
  });
  const header = encodeSafetensorsHeader(tensors);
  const hash = createHash("sha256").update(header.bytes);
  await using file = await open(path, "w");
  await file.write(header.bytes);
  for (const { shape } of tensors) {
    const count = shape.reduce((product, side) => product * side, 1);
    const floats = Float32Array.from({ length: count }, (_, at) => valueOf(at, salt));
    const bits = new Uint32Array(floats.buffer);
    const bytes = new Uint8Array(Uint16Array.from(bits, (word) => word >>> 16).buffer);
    hash.update(bytes);
    await file.write(bytes);
  }
  return { path, digest: hash.digest("hex"), bytes: header.fileLength };
}
