/** Owns what an app has opened and closes it in reverse, even what opens only after the stop. */

interface Entry {
  readonly name: string;
  readonly close: () => Promise<void>;
}

interface CloseReport {
  /** Called before each resource, so that whoever waits can say for what. */
  closing(name: string): void;
  /** Closing goes on with the next resource after a failure. */
  failed(name: string, error: unknown): void;
}

export class ResourceStack {
  readonly #entries: Entry[] = [];

  /** Takes a resource that is open or about to be; one that never opens needs no closing. */
  add<T>(name: string, opening: Promise<T>, close: (resource: T) => void | Promise<void>): void {
    const opened = opening.then(
      (resource) => ({ resource }),
      // Whoever called `open` sees this failure; here it only means there is nothing to close.
      () => undefined,
    );
    this.#entries.push({
      name,
      close: async () => {
        const outcome = await opened;
        if (outcome !== undefined) await close(outcome.resource);
      },
    });
  }

  async closeAll(report: CloseReport): Promise<void> {
    for (let entry = this.#entries.pop(); entry !== undefined; entry = this.#entries.pop()) {
      report.closing(entry.name);
      try {
        // One after the other on purpose: what was opened later may need what was opened before.
        await entry.close();
      } catch (error) {
        report.failed(entry.name, error);
      }
    }
  }
}
