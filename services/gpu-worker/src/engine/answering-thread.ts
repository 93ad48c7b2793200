/**
 * A thread that answers orders one by one: started with the first one, and started anew after it
 * ended. Every order gets its answer, or fails when the thread does.
 */
import { Worker } from "node:worker_threads";
import { FarmError } from "@zfarm/contract";

/** What the thread is sent; it answers `{ id, answer }`, once for each. */
export interface Numbered<Order> {
  readonly id: number;
  readonly order: Order;
}

interface Pending<Answer> {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: FarmError) => void;
}

export class AnsweringThread<Order, Answer> {
  readonly #entry: URL;
  readonly #data: unknown;
  readonly #pending = new Map<number, Pending<Answer>>();
  #thread: Worker | undefined;
  #orders = 0;

  /** @param data what the thread finds as its `workerData`. */
  constructor(entry: URL, data?: unknown) {
    this.#entry = entry;
    this.#data = data;
  }

  /** Throws INTERNAL where the thread ends first. */
  ask(order: Order): Promise<Answer> {
    const id = this.#orders++;
    const answer = new Promise<Answer>((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
    });
    this.#open().postMessage({ id, order } satisfies Numbered<Order>);
    return answer;
  }

  /** Ends the thread; its orders fail for this reason. */
  end(why: string): void {
    void this.#thread?.terminate();
    this.#thread = undefined;
    const error = new FarmError("INTERNAL", why);
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
  }

  #open(): Worker {
    if (this.#thread !== undefined) return this.#thread;
    const thread = new Worker(this.#entry, { workerData: this.#data });
    thread.on("message", ({ id, answer }: { id: number; answer: Answer }) => {
      this.#pending.get(id)?.resolve(answer);
      this.#pending.delete(id);
    });
    // One that was ended before says nothing about the one that took its place.
    const fail = (why: string): void => {
      if (this.#thread === thread) this.end(why);
    };
    // Out of memory ends the thread and not the process.
    thread.on("error", (error) => fail(`a thread ended: ${error.message}`));
    thread.on("exit", () => fail("a thread ended"));
    thread.unref();
    this.#thread = thread;
    return thread;
  }
}
