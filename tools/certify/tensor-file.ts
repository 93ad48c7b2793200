/** A safetensors file of float32 tensors, read tensor by tensor: what the reference wrote. */
import { type FileHandle, open } from "node:fs/promises";
import { readSafetensorsHeader, type SafetensorsHeader } from "@zfarm/zimage";

export class TensorFile {
  readonly #path: string;
  readonly #header: SafetensorsHeader;

  constructor(path: string, header: SafetensorsHeader) {
    this.#path = path;
    this.#header = header;
  }

  static async open(path: string): Promise<TensorFile> {
    return new TensorFile(path, await readSafetensorsHeader(path));
  }

  /** Row-major values; an unknown name is a fault of this tool. */
  async get(name: string): Promise<Float32Array> {
    const tensor = this.#header.tensors.find((one) => one.name === name);
    if (tensor?.dtype !== "F32") throw new Error(`${this.#path} has no float32 tensor ${name}`);
    const values = new Float32Array(tensor.length / Float32Array.BYTES_PER_ELEMENT);
    const handle: FileHandle = await open(this.#path, "r");
    try {
      await handle.read(new Uint8Array(values.buffer), 0, tensor.length, tensor.offset);
    } finally {
      await handle.close();
    }
    return values;
  }
}
