/**
 * Reads adapters' files on a thread of its own, so that checking and converting hundreds of
 * megabytes never holds up a denoise step; what it read changes hands without a copy.
 */
import { Worker } from "node:worker_threads";
import { FarmError, limits } from "@zfarm/contract";
import type { Clock } from "@zfarm/runtime";
import { type LoraAdapter, ModelError } from "@zfarm/zimage";
import type { LoraArchitecture } from "@zfarm/zimage/lora";

export interface LoraReading {
  readonly adapter: LoraAdapter;
  readonly bytes: number;
}

export interface ReadOrder {
  readonly order: number;
  readonly digest: string;
  readonly path: string;
}

/** What the thread answers. */
export type ReadAnswer =
  | ({ readonly order: number; readonly kind: "read" } & LoraReading)
  | {
      readonly order: number;
      readonly kind: "corrupt" | "refused" | "unreadable";
      readonly message: string;
    };

interface Pending {
  readonly resolve: (reading: LoraReading) => void;
  readonly reject: (error: Error) => void;
}

const threadEntry = new URL("./lora-reader-thread.ts", import.meta.url);

export class LoraReader {
  readonly #architecture: LoraArchitecture;
  readonly #clock: Clock;
  readonly #pending = new Map<number, Pending>();
  #thread: Worker | undefined;
  #orders = 0;

  constructor(architecture: LoraArchitecture, clock: Clock) {
    this.#architecture = architecture;
    this.#clock = clock;
  }

  /**
   * The adapter of a file, laid out for runs. Throws OBJECT_CORRUPT where the file is not the one
   * that the digest names, LORA_INVALID where the model cannot use it, INTERNAL where it cannot be
   * read, or not within `limits.loraLoadMs`.
   */
  async read(digest: string, path: string): Promise<LoraReading> {
    const order = this.#orders++;
    const done = new AbortController();
    const reading = new Promise<LoraReading>((resolve, reject) => {
      this.#pending.set(order, { resolve, reject });
    });
    this.#open().postMessage({ order, digest, path } satisfies ReadOrder);
    void this.#clock.sleep(limits.loraLoadMs, done.signal).then(() => {
      if (!done.signal.aborted) this.#end(`it took more than ${limits.loraLoadMs} ms`);
    });
    try {
      return await reading;
    } finally {
      done.abort();
      this.#pending.delete(order);
    }
  }

  close(): void {
    this.#end("the engine ends");
  }

  /** Started when it is needed first: an engine without adapters does without it. */
  #open(): Worker {
    if (this.#thread !== undefined) return this.#thread;
    const thread = new Worker(threadEntry, { workerData: this.#architecture });
    thread.on("message", (answer: ReadAnswer) => this.#settle(answer));
    // Out of memory ends the thread and not the engine.
    thread.on("error", (error) => this.#end(error.message));
    thread.on("exit", () => {
      if (this.#thread === thread) this.#end("its thread ended");
    });
    thread.unref();
    this.#thread = thread;
    return thread;
  }

  #settle(answer: ReadAnswer): void {
    const pending = this.#pending.get(answer.order);
    if (answer.kind === "read") pending?.resolve(answer);
    else if (answer.kind === "refused") {
      pending?.reject(new ModelError("LORA_INVALID", answer.message));
    } else {
      const code = answer.kind === "corrupt" ? "OBJECT_CORRUPT" : "INTERNAL";
      pending?.reject(new FarmError(code, answer.message));
    }
  }

  #end(why: string): void {
    void this.#thread?.terminate();
    this.#thread = undefined;
    const error = new FarmError("INTERNAL", `the adapter was not read: ${why}`);
    for (const { reject } of this.#pending.values()) reject(error);
  }
}
