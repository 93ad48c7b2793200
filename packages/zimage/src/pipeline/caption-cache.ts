/** Captions by prompt: many pictures share one, and it depends on nothing but the text encoder. */

/** A prompt as the transformer reads it. */
export interface Caption {
  readonly prompt: string;
  /** float32, [length, width of the text encoder]. */
  readonly data: Float32Array;
  /** Rows, one per token. */
  readonly length: number;
}

/** Keeps the most recently used captions within a bound in bytes. */
export class CaptionCache {
  readonly #bytesMax: number;
  /** In the order of use, the latest last: a Map iterates as it was filled. */
  readonly #captions = new Map<string, Caption>();
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get(prompt: string): Caption | undefined {
    const caption = this.#captions.get(prompt);
    if (caption === undefined) return undefined;
    this.#captions.delete(prompt);
    this.#captions.set(prompt, caption);
    return caption;
  }

  /** A caption larger than the whole cache is not kept. */
  put(caption: Caption): void {
    this.#remove(caption.prompt);
    this.#captions.set(caption.prompt, caption);
    this.#bytes += caption.data.byteLength;
    for (const oldest of this.#captions.keys()) {
      if (this.#bytes <= this.#bytesMax) return;
      this.#remove(oldest);
    }
  }

  #remove(prompt: string): void {
    const caption = this.#captions.get(prompt);
    if (caption === undefined) return;
    this.#captions.delete(prompt);
    this.#bytes -= caption.data.byteLength;
  }
}
