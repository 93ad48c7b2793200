/**
 * Everything that happens at a time: a binary heap whose members know their place, so that a timer
 * of a finished task leaves at once. Equal times fire in the order in which they were set.
 */

export class Timer<T> {
  readonly target: T;
  /** Milliseconds, on the clock of the caller. */
  at = 0;
  sequence = 0;
  /** Place in the heap; -1 while the timer is not set. */
  slot = -1;

  constructor(target: T) {
    this.target = target;
  }
}

export class TimerHeap<T> {
  readonly #timers: Timer<T>[] = [];
  #sequence = 0;

  get size(): number {
    return this.#timers.length;
  }

  /** Sets the timer, or moves it when it is set. */
  set(timer: Timer<T>, at: number): void {
    this.clear(timer);
    timer.at = at;
    timer.sequence = this.#sequence++;
    timer.slot = this.#timers.length;
    this.#timers.push(timer);
    this.#rise(timer);
  }

  /** Takes the timer out; harmless when it is not set. */
  clear(timer: Timer<T>): void {
    if (timer.slot < 0) return;
    const last = this.#timers.pop();
    if (last !== undefined && last !== timer) {
      // The last one fills the gap; it may belong above or below, and moves at most one way.
      this.#place(last, timer.slot);
      this.#rise(last);
      this.#sink(last);
    }
    timer.slot = -1;
  }

  /** Takes out the earliest timer if its time has come. */
  popDue(now: number): T | undefined {
    const first = this.#timers[0];
    if (first === undefined || first.at > now) return undefined;
    this.clear(first);
    return first.target;
  }

  #place(timer: Timer<T>, slot: number): void {
    timer.slot = slot;
    this.#timers[slot] = timer;
  }

  #rise(timer: Timer<T>): void {
    while (timer.slot > 0) {
      const parent = this.#timers[(timer.slot - 1) >> 1];
      if (parent === undefined || isBefore(parent, timer)) return;
      const { slot } = timer;
      this.#place(timer, parent.slot);
      this.#place(parent, slot);
    }
  }

  #sink(timer: Timer<T>): void {
    for (;;) {
      const left = this.#timers[timer.slot * 2 + 1];
      const right = this.#timers[timer.slot * 2 + 2];
      const least =
        left !== undefined && right !== undefined && isBefore(right, left) ? right : left;
      if (least === undefined || isBefore(timer, least)) return;
      const { slot } = timer;
      this.#place(timer, least.slot);
      this.#place(least, slot);
    }
  }
}

function isBefore(one: Timer<unknown>, other: Timer<unknown>): boolean {
  return one.at < other.at || (one.at === other.at && one.sequence < other.sequence);
}
