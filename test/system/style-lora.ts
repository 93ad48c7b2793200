/** A file of an adapter that changes the small model's pictures, made up from a seed. */
import { encodeSafetensorsHeader } from "@zfarm/zimage";
import { type LoraArchitecture, loraTargetsOf } from "@zfarm/zimage/lora";

/** In ai-toolkit's dialect, bfloat16, rank 4 in every module of the main blocks. */
export function styleLora(architecture: LoraArchitecture, { seed }: { seed: number }): Buffer {
  const rank = 4;
  const tensors = loraTargetsOf(architecture)
    .filter(({ name }) => name.startsWith("layers.") && !name.includes("adaLN"))
    .flatMap(({ name, in: width, out }) => [
      { name: `diffusion_model.${name}.lora_A.weight`, shape: [rank, width] },
      { name: `diffusion_model.${name}.lora_B.weight`, shape: [out, rank] },
    ]);
  const { bytes, fileLength } = encodeSafetensorsHeader(
    tensors.map((tensor) => ({ ...tensor, dtype: "BF16" })),
  );
  return Buffer.concat([bytes, noise((fileLength - bytes.length) / 2, seed)]);
}

/** Numbers within 0.05 of zero, from a linear congruential generator. */
function noise(count: number, seed: number): Buffer {
  const bytes = Buffer.alloc(count * 2);
  const float = new Float32Array(1);
  const bits = new Uint32Array(float.buffer);
  let state = seed;
  for (let at = 0; at < count; at += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    float[0] = (state / 2 ** 32 - 0.5) / 10;
    bytes.writeUInt16LE((bits[0] ?? 0) >>> 16, at * 2);
  }
  return bytes;
}
