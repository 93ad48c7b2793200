/** What one task costs of late: how much what comes swings around its mean. */

/** After this long what was is worth a third. */
const memoryMs = 600_000;

export class TaskSize {
  #ms = 0;
  #tasks = 0;

  learn(came: { readonly ms: number; readonly tasks: number }, sinceMs: number): void {
    const kept = Math.exp(-sinceMs / memoryMs);
    this.#ms = this.#ms * kept + came.ms;
    this.#tasks = this.#tasks * kept + came.tasks;
  }

  /** Milliseconds of device time; 0 before the first task. */
  get meanMs(): number {
    return this.#tasks > 0 ? this.#ms / this.#tasks : 0;
  }
}
