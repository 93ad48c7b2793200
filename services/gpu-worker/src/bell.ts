/** Wakes whoever waits for a condition over shared state, whenever that state may have changed. */
export class Bell {
  readonly #waiters = new Set<() => void>();

  /** Every waiter looks at its condition again. */
  ring(): void {
    const waiters = [...this.#waiters];
    this.#waiters.clear();
    for (const wake of waiters) wake();
  }

  /** Resolves once the condition holds, or early, without throwing, when `stop` aborts. */
  async until(holds: () => boolean, stop: AbortSignal): Promise<void> {
    while (!stop.aborted && !holds()) await this.#next(stop);
  }

  #next(stop: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#waiters.delete(wake);
        stop.removeEventListener("abort", wake);
        resolve();
      };
      this.#waiters.add(wake);
      stop.addEventListener("abort", wake);
    });
  }
}
