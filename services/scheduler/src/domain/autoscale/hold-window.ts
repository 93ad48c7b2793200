/** The highest number of the last minutes: what was needed a moment ago may be needed again. */

interface Mark {
  readonly at: number;
  readonly workers: number;
}

export class HoldWindow {
  /** Falling numbers: a lower one counts only once the higher ones before it are too old. */
  #marks: Mark[] = [];

  note(workers: number, at: number): void {
    this.#marks = this.#marks.filter((mark) => mark.workers > workers);
    this.#marks.push({ at, workers });
  }

  /** The highest number noted within `withinMs` before `now`; 0 where none was. */
  highest(now: number, withinMs: number): number {
    this.#marks = this.#marks.filter(({ at }) => at >= now - withinMs);
    return this.#marks[0]?.workers ?? 0;
  }
}
