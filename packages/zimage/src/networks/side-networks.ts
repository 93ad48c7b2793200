/**
 * A text encoder and a decoder that run on a thread of their own, beside the steps of a
 * transformer on this one: a run blocks its thread, so nothing else can overlap with it here.
 */
import { Worker } from "node:worker_threads";
import { ModelError } from "../errors.ts";
import { fromSideError, type SideAnswer, type SideModel, type SideOrder } from "./side-orders.ts";
import type { TextEncoder } from "./text-encoder.ts";
import type { LatentBatch, VaeDecoder } from "./vae-decoder.ts";

interface Pending {
  readonly resolve: (results: Float32Array[]) => void;
  readonly reject: (error: Error) => void;
}

const threadEntry = new URL("./side-thread.ts", import.meta.url);

export interface SideNetworks {
  readonly textEncoder: TextEncoder;
  readonly vaeDecoder: VaeDecoder;
  /** Waits for what is under way; closing either of the two does nothing. */
  close(): Promise<void>;
}

/** Throws what opening them on this thread would throw. */
export async function openSideNetworks(model: SideModel): Promise<SideNetworks> {
  const thread = new SideThread(model);
  await thread.opened;
  const close = async (): Promise<void> => {};
  return {
    textEncoder: { encode: (ids) => thread.encode(ids), close },
    vaeDecoder: { decode: (batch) => thread.decode(batch), close },
    close: () => thread.close(),
  };
}

class SideThread {
  readonly opened: Promise<void>;
  readonly #worker: Worker;
  readonly #ended: Promise<unknown>;
  readonly #pending = new Map<number, Pending>();
  readonly #opening = Promise.withResolvers<void>();
  #orders = 0;
  #failure: Error | undefined;

  constructor(model: SideModel) {
    this.opened = this.#opening.promise;
    this.#worker = new Worker(threadEntry, { workerData: model });
    this.#worker.on("message", (answer: SideAnswer) => this.#hear(answer));
    this.#worker.on("error", (error) => this.#fail(error.message));
    this.#ended = new Promise((resolve) => this.#worker.once("exit", resolve));
    this.#worker.once("exit", () => this.#fail("it ended"));
  }

  encode(ids: readonly Int32Array[]): Promise<Float32Array[]> {
    return this.#order((order) => ({ kind: "encode", order, ids }));
  }

  decode(batch: LatentBatch): Promise<Float32Array[]> {
    return this.#order((order) => ({ kind: "decode", order, batch }));
  }

  async close(): Promise<void> {
    this.#worker.postMessage({ kind: "close" } satisfies SideOrder);
    await this.#ended;
  }

  #order(build: (order: number) => SideOrder): Promise<Float32Array[]> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const order = this.#orders++;
    return new Promise((resolve, reject) => {
      this.#pending.set(order, { resolve, reject });
      this.#worker.postMessage(build(order));
    });
  }

  #hear(answer: SideAnswer): void {
    switch (answer.kind) {
      case "ready":
        return this.#opening.resolve();
      case "done":
        return this.#take(answer.order)?.resolve([...answer.results]);
      case "failed": {
        const error = fromSideError(answer.error);
        if (answer.order === undefined) this.#opening.reject(error);
        else this.#take(answer.order)?.reject(error);
      }
    }
  }

  #take(order: number): Pending | undefined {
    const pending = this.#pending.get(order);
    this.#pending.delete(order);
    return pending;
  }

  /** What it had in hand fails, and so does whatever would come. */
  #fail(why: string): void {
    this.#failure = new ModelError("ENGINE_FAILED", `the thread beside the engine failed: ${why}`);
    this.#opening.reject(this.#failure);
    for (const { reject } of this.#pending.values()) reject(this.#failure);
    this.#pending.clear();
  }
}
