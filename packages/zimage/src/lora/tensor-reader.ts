/** Reads tensors into float32 and refuses numbers that no adapter should hold. */
import type { ByteSource } from "../weights/byte-source.ts";
import type { HeaderTensor } from "../weights/safetensors-header.ts";
import { elementMax } from "./limits.ts";
import { refuseLora } from "./refuse.ts";
import { toFloats } from "./to-floats.ts";

/** Not for two reads at once: tensors of two-byte elements pass through one buffer. */
export class TensorReader {
  readonly #source: ByteSource;
  /** Reused, because fresh memory of a whole file's size costs as much as the conversion. */
  #scratch = new Uint8Array(0);

  constructor(source: ByteSource) {
    this.#source = source;
  }

  /** LORA_INVALID names the tensor if an element is not finite or beyond what float16 can hold. */
  async readFloats({ name, dtype, offset, length }: HeaderTensor): Promise<Float32Array> {
    const bytes = dtype === "F32" ? new Uint8Array(length) : this.#scratchOf(length);
    await this.#source.read(bytes, offset);
    const { floats, peak } = toFloats(bytes, dtype);
    if (!Number.isFinite(peak)) refuseLora(name, "holds NaN or infinity");
    if (peak > elementMax) refuseLora(name, `holds ${peak}; at most ${elementMax} either way`);
    return floats;
  }

  #scratchOf(length: number): Uint8Array {
    if (this.#scratch.length < length) this.#scratch = new Uint8Array(length);
    return this.#scratch.subarray(0, length);
  }
}
