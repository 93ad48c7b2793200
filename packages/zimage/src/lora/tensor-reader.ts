/** Reads tensors into float32 and refuses numbers that no adapter should hold. */
import type { ByteSource } from "../weights/byte-source.ts";
import { elementBytes } from "../weights/encode-safetensors-header.ts";
import type { HeaderTensor } from "../weights/safetensors-header.ts";
import { elementMax } from "./limits.ts";
import { refuseLora } from "./refuse.ts";
import { toFloats } from "./to-floats.ts";

/**
 * Not for two reads at once. All it needs is memory that it uses again: fresh memory of a whole
 * file's size costs as much as the conversion.
 */
export class TensorReader {
  readonly #source: ByteSource;
  /** What tensors of two-byte elements pass through. */
  #bytes = new Uint8Array(0);
  readonly #floats: Float32Array[] = [];
  #lent = 0;

  constructor(source: ByteSource) {
    this.#source = source;
  }

  /**
   * The elements, until `recycle`. LORA_INVALID names the tensor if one is not finite or beyond
   * what float16 can hold.
   */
  async readFloats({ name, dtype, offset, length }: HeaderTensor): Promise<Float32Array> {
    const floats = this.#lend(length / elementBytes[dtype]);
    const bytes =
      dtype === "F32"
        ? new Uint8Array(floats.buffer, floats.byteOffset, length)
        : this.#bytesOf(length);
    await this.#source.read(bytes, offset);
    const peak = toFloats(bytes, dtype, floats);
    if (!Number.isFinite(peak)) refuseLora(name, "holds NaN or infinity");
    if (peak > elementMax) refuseLora(name, `holds ${peak}; at most ${elementMax} either way`);
    return floats;
  }

  /** Takes back all that was read: the next reads write over it. */
  recycle(): void {
    this.#lent = 0;
  }

  #lend(count: number): Float32Array {
    let floats = this.#floats[this.#lent];
    if (floats === undefined || floats.length < count) floats = new Float32Array(count);
    this.#floats[this.#lent] = floats;
    this.#lent += 1;
    return floats.subarray(0, count);
  }

  #bytesOf(length: number): Uint8Array {
    if (this.#bytes.length < length) this.#bytes = new Uint8Array(length);
    return this.#bytes.subarray(0, length);
  }
}
