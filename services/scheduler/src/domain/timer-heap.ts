/**
 * Everything that happens at a time: timers whose members know their place, so that the timer of
 * a finished task leaves at once. Equal times fire in the order in which they were set.
 */
import { type HeapMember, IndexedHeap } from "./indexed-heap.ts";

export class Timer<T> implements HeapMember {
  readonly target: T;
  /** Milliseconds, on the clock of the caller. */
  at = 0;
  sequence = 0;
  slot = -1;

  constructor(target: T) {
    this.target = target;
  }
}

export class TimerHeap<T> {
  readonly #timers = new IndexedHeap<Timer<T>>(isBefore);
  #sequence = 0;

  get size(): number {
    return this.#timers.size;
  }

  /** When the earliest timer fires; undefined while none is set. */
  get nextAt(): number | undefined {
    return this.#timers.first?.at;
  }

  /** Sets the timer, or moves it when it is set. */
  set(timer: Timer<T>, at: number): void {
    timer.at = at;
    timer.sequence = this.#sequence++;
    this.#timers.put(timer);
  }

  /** Takes the timer out; harmless when it is not set. */
  clear(timer: Timer<T>): void {
    this.#timers.remove(timer);
  }

  /** Takes out the earliest timer if its time has come. */
  popDue(now: number): T | undefined {
    const { first } = this.#timers;
    if (first === undefined || first.at > now) return undefined;
    this.#timers.remove(first);
    return first.target;
  }
}

function isBefore(one: Timer<unknown>, other: Timer<unknown>): boolean {
  return one.at < other.at || (one.at === other.at && one.sequence < other.sequence);
}
