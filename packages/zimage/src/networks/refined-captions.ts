/**
 * Captions as the transformer's blocks take them. Refining one takes near a hundredth of a step and
 * gives the same in each, so what was used last is kept for the next steps.
 */
import type { TransformerConfig } from "../config.ts";
import { LoraFeeder, type LoraInputs, type LoraStack } from "./lora-batch.ts";
import { padRows } from "./rope.ts";
import type { Session } from "./session.ts";
import { type Caption, captionFeeds, type RefinedCaption } from "./transformer-feeds.ts";

/** 60 short captions of the released model, or 4 of full length. */
const keptBytesMax = 32 * 1024 * 1024;

export class RefinedCaptions {
  readonly #config: TransformerConfig;
  readonly #session: Session;
  readonly #loras: LoraFeeder;
  /** Numbers of the captions' arrays: an array is never written to once it is a caption. */
  readonly #numbers = new WeakMap<Float32Array, number>();
  #numbered = 0;
  /** In the order of use, the latest last: a Map iterates as it was filled. */
  readonly #kept = new Map<string, RefinedCaption>();
  #keptBytes = 0;

  constructor(config: TransformerConfig, session: Session, inputs: LoraInputs) {
    this.#config = config;
    this.#session = session;
    // Copies of adapters side by side are for the run that needs them: the next one is far.
    this.#loras = new LoraFeeder(inputs, 0);
  }

  /** Throws ENGINE_FAILED, or MEMORY_EXCEEDED. */
  async refine(caption: Caption, stack: LoraStack): Promise<RefinedCaption> {
    const key = this.#keyOf(caption, stack);
    const known = this.#kept.get(key);
    if (known !== undefined) {
      this.#kept.delete(key);
      this.#kept.set(key, known);
      return known;
    }
    const feeds = { ...captionFeeds(caption, this.#config), ...this.#loras.feeds([stack]) };
    const refined = { rows: padRows(caption.length), data: await this.#session.run(feeds) };
    this.#keep(key, refined);
    return refined;
  }

  async close(): Promise<void> {
    await this.#session.close();
  }

  #keyOf({ data, length }: Caption, stack: LoraStack): string {
    const number = this.#numbers.get(data) ?? this.#numbered++;
    this.#numbers.set(data, number);
    return JSON.stringify([number, length, stack.map((use) => [use.adapter.id, use.strength])]);
  }

  #keep(key: string, refined: RefinedCaption): void {
    this.#kept.set(key, refined);
    this.#keptBytes += refined.data.byteLength;
    for (const [oldest, { data }] of this.#kept) {
      if (this.#keptBytes <= keptBytesMax) return;
      this.#kept.delete(oldest);
      this.#keptBytes -= data.byteLength;
    }
  }
}
