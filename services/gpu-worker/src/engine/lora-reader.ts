/**
 * Reads adapters' files beside the denoise steps: one thread computes the digest while another
 * checks and converts, and what it read changes hands without a copy.
 */
import { FarmError, limits } from "@zfarm/contract";
import type { Clock } from "@zfarm/runtime";
import { type LoraAdapter, ModelError } from "@zfarm/zimage";
import type { LoraArchitecture } from "@zfarm/zimage/lora";
import { AnsweringThread } from "./answering-thread.ts";

export interface LoraReading {
  readonly adapter: LoraAdapter;
  readonly bytes: number;
}

export interface ConvertOrder {
  readonly digest: string;
  readonly path: string;
}

export type ConvertAnswer =
  | ({ readonly kind: "read" } & LoraReading)
  | { readonly kind: "refused" | "unreadable"; readonly message: string };

export type DigestAnswer =
  | { readonly kind: "digest"; readonly digest: string }
  | { readonly kind: "unreadable"; readonly message: string };

const converterEntry = new URL("./lora-convert-thread.ts", import.meta.url);
const hasherEntry = new URL("./lora-digest-thread.ts", import.meta.url);

export class LoraReader {
  readonly #clock: Clock;
  readonly #converter: AnsweringThread<ConvertOrder, ConvertAnswer>;
  readonly #hasher: AnsweringThread<string, DigestAnswer>;

  constructor(architecture: LoraArchitecture, clock: Clock) {
    this.#clock = clock;
    this.#converter = new AnsweringThread(converterEntry, architecture);
    this.#hasher = new AnsweringThread(hasherEntry);
  }

  /**
   * The adapter of a file, laid out for runs. Throws OBJECT_CORRUPT where the file is not the one
   * that the digest names, LORA_INVALID where the model cannot use it, INTERNAL where it cannot be
   * read, or not within `limits.loraLoadMs`.
   */
  async read(digest: string, path: string): Promise<LoraReading> {
    const done = new AbortController();
    void this.#clock.sleep(limits.loraLoadMs, done.signal).then(() => {
      if (!done.signal.aborted) this.#end(`it took more than ${limits.loraLoadMs} ms`);
    });
    try {
      const conversion = this.#converter.ask({ digest, path });
      const [hashed, converted] = await Promise.all([this.#hasher.ask(path), conversion]);
      // A broken file often makes no sense either; which one it is, its digest tells.
      if (hashed.kind === "digest" && hashed.digest !== digest) {
        const message = `${path} has the content of ${hashed.digest}`;
        throw new FarmError("OBJECT_CORRUPT", message);
      }
      if (hashed.kind === "unreadable") throw new FarmError("INTERNAL", hashed.message);
      if (converted.kind === "read") return { adapter: converted.adapter, bytes: converted.bytes };
      if (converted.kind === "refused") throw new ModelError("LORA_INVALID", converted.message);
      throw new FarmError("INTERNAL", converted.message);
    } finally {
      done.abort();
    }
  }

  close(): void {
    this.#end("the engine ends");
  }

  #end(why: string): void {
    for (const thread of [this.#converter, this.#hasher]) {
      thread.end(`the adapter was not read: ${why}`);
    }
  }
}
