/** Files of adapters at the released model's width, with made-up factors. */
import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import { encodeSafetensorsHeader } from "@zfarm/zimage";
import { type LoraArchitecture, loraTargetsOf } from "@zfarm/zimage/lora";

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
  const pool = createPool(salt);
  for (const { shape } of tensors) {
    const count = shape.reduce((product, side) => product * side, 1);
    const bytes = pool.subarray(0, 2 * count);
    hash.update(bytes);
    await file.write(bytes);
  }
  return { path, digest: hash.digest("hex"), bytes: header.fileLength };
}

/** Small numbers in bfloat16, as many as the largest tensor has. */
function createPool(salt: number): Uint8Array {
  const bits = new Uint16Array(1_000_000);
  for (let at = 0; at < bits.length; at += 1) bits[at] = 0x3a00 + ((at * 7_919 + salt) % 256);
  return new Uint8Array(bits.buffer);
}
