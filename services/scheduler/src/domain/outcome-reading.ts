/**
 * Up to when the stored outcomes are known. A leader behind a burst, or whose connection broke,
 * reads them late; until then a worker that holds a task no more may well have drawn it.
 */
export class OutcomeReading {
  /** Of those that were stored then, so many are still to come. */
  #late: { readonly since: number; unread: number } | undefined;
  #readTo = 0;

  /** `count` outcomes came, and `unread` more are stored; infinite where nobody can say. */
  came(now: number, { count, unread }: { readonly count: number; readonly unread: number }): void {
    const late = this.#late;
    if (unread === 0) {
      this.#late = undefined;
      this.#readTo = now;
    } else if (late === undefined) this.#late = { since: now, unread };
    else if (late.unread > count) late.unread = Math.min(late.unread - count, unread);
    else {
      this.#readTo = late.since;
      this.#late = { since: now, unread };
    }
  }

  /** Whatever was stored before this time has been seen. */
  readTo(now: number): number {
    return this.#late === undefined ? now : this.#readTo;
  }
}
