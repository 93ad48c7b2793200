/** The calls being served: counts them, refuses new ones while draining, ends what must end. */
import { FarmError } from "@zfarm/contract";

/** How a call wants to be treated when the gateway stops. */
export type DrainRule =
  /** It may finish within the drain. */
  | "finish"
  /** It ends at once; its client resumes it elsewhere. */
  | "end";

interface ActiveCall {
  readonly rule: DrainRule;
  readonly end: (reason: FarmError) => void;
}

export class CallRegistry {
  readonly #active = new Set<ActiveCall>();
  #draining = false;
  #idle = Promise.withResolvers<void>();

  get size(): number {
    return this.#active.size;
  }

  /** Registers a call; gives the function that ends it. DRAINING once the gateway stops. */
  enter(call: ActiveCall): () => void {
    if (this.#draining) throw drainingError();
    this.#active.add(call);
    return () => {
      this.#active.delete(call);
      this.#settle();
    };
  }

  /** Refuses new calls and ends watches; resolves when the last call ended. */
  drain(): Promise<void> {
    this.#draining = true;
    this.#end((call) => call.rule === "end");
    this.#settle();
    return this.#idle.promise;
  }

  /** Ends what is left. Renders are not canceled: a retry with the same request id finds them. */
  endAll(): void {
    this.#end(() => true);
  }

  #end(which: (call: ActiveCall) => boolean): void {
    for (const call of [...this.#active].filter(which)) call.end(drainingError());
  }

  #settle(): void {
    if (this.#draining && this.#active.size === 0) this.#idle.resolve();
  }
}

function drainingError(): FarmError {
  return new FarmError("DRAINING", "this gateway is stopping; another one will answer");
}
