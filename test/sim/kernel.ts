/**
 * Virtual time: a heap of events ordered by time and then by the order in which they were
 * planned, and the processes they belong to. Nothing else decides what happens next.
 */
import { mix, Stream } from "./random.ts";

/** What a coroutine waits for: `begin` is called once and calls `resume` once, later. */
export type Wait<T> = (resume: (value: T) => void) => void;

/** A coroutine of the simulation. Use `yield* wait(...)`, which keeps the types. */
export type Routine<T = void> = Generator<Wait<never>, T, unknown>;

export function* wait<T>(begin: Wait<T>): Routine<T> {
  return (yield begin as Wait<never>) as T;
}

/** One process: may crash, stand still, and have a clock of its own. */
export class Proc {
  readonly name: string;
  readonly rand: Stream;
  /** Grows with each crash; what was planned in an earlier life never happens. */
  life = 0;
  isUp = true;
  /** Until when it stands still; what is due meanwhile happens then, in order. */
  pausedUntil = 0;
  /** Messages do not get out, or do not get in. */
  isCutOut = false;
  isCutIn = false;
  /** Partitions that it has seen the end of. */
  cuts = 0;
  /** What its wall clock is ahead of the true time; it may jump. */
  wallOffsetMs = 0;
  readonly backlog: SimEvent[] = [];
  #rate = 1;
  #rateSince = 0;
  #monoBase = 0;

  constructor(name: string, seed: number) {
    this.name = name;
    this.rand = new Stream(seed, name);
  }

  get rate(): number {
    return this.#rate;
  }

  /** Its monotonic clock: as fast as its rate. */
  mono(now: number): number {
    return this.#monoBase + (now - this.#rateSince) * this.#rate;
  }

  setRate(rate: number, now: number): void {
    this.#monoBase = this.mono(now);
    this.#rateSince = now;
    this.#rate = rate;
  }
}

export class SimEvent {
  readonly at: number;
  readonly sequence: number;
  readonly run: () => void;
  readonly proc: Proc | undefined;
  readonly life: number;

  constructor(due: { at: number; sequence: number }, run: () => void, proc: Proc | undefined) {
    this.at = due.at;
    this.sequence = due.sequence;
    this.run = run;
    this.proc = proc;
    this.life = proc?.life ?? 0;
  }
}

export class Kernel {
  now = 0;
  events = 0;
  /** A chain over everything that happened: equal for equal runs. */
  hash = 0;
  readonly #heap: SimEvent[] = [];
  #sequence = 0;

  /** Plans an event. One of a process that crashes before is forgotten. */
  after(delayMs: number, run: () => void, proc?: Proc): void {
    this.#sequence += 1;
    const due = { at: this.now + (delayMs < 0 ? 0 : delayMs), sequence: this.#sequence };
    push(this.#heap, new SimEvent(due, run, proc));
  }

  /** A timer on the clock of its process. */
  timer(proc: Proc, delayMs: number, run: () => void): void {
    this.after(Math.ceil(delayMs / proc.rate), run, proc);
  }

  /** For coroutines. */
  sleep(proc: Proc, delayMs: number): Routine {
    return wait((resume) => this.timer(proc, delayMs, () => resume()));
  }

  /** Runs a coroutine; it ends silently with the life of its process. */
  spawn(proc: Proc, routine: Routine): void {
    const { life } = proc;
    const advance = (value: unknown): void => {
      if (proc.life !== life) return;
      const next = routine.next(value);
      if (next.done !== true) next.value(advance);
    };
    advance(undefined);
  }

  /** Mixes a fact into the hash chain. */
  note(fact: number): void {
    this.hash = mix(this.hash ^ (fact | 0));
  }

  /** Takes the next event if it is due by then; gives false where there is none. */
  step(until: number): boolean {
    const event = this.#heap[0];
    if (event === undefined || event.at > until) {
      if (this.now < until) this.now = until;
      return false;
    }
    pop(this.#heap);
    this.now = event.at;
    this.#take(event);
    return true;
  }

  /** Crash: its plans are void, and what it had not looked at yet is lost. */
  kill(proc: Proc): void {
    proc.life += 1;
    proc.isUp = false;
    proc.pausedUntil = 0;
    proc.backlog.length = 0;
  }

  pause(proc: Proc, forMs: number): void {
    const until = this.now + forMs;
    if (until <= proc.pausedUntil) return;
    proc.pausedUntil = until;
    this.after(forMs, () => this.#wakeUp(proc));
  }

  #wakeUp(proc: Proc): void {
    if (this.now < proc.pausedUntil) return;
    for (const event of proc.backlog.splice(0)) this.#take(event);
  }

  #take(event: SimEvent): void {
    const { proc } = event;
    if (proc !== undefined) {
      if (proc.life !== event.life) return;
      if (proc.pausedUntil > this.now) {
        proc.backlog.push(event);
        return;
      }
    }
    this.events += 1;
    this.note(event.at ^ (event.sequence << 7));
    event.run();
  }
}

function isBefore(one: SimEvent, other: SimEvent): boolean {
  return one.at < other.at || (one.at === other.at && one.sequence < other.sequence);
}

function push(heap: SimEvent[], event: SimEvent): void {
  let slot = heap.length;
  heap.push(event);
  while (slot > 0) {
    const above = (slot - 1) >> 1;
    const parent = heap[above];
    if (parent === undefined || isBefore(parent, event)) break;
    heap[slot] = parent;
    slot = above;
  }
  heap[slot] = event;
}

function pop(heap: SimEvent[]): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  let slot = 0;
  for (;;) {
    let below = slot * 2 + 1;
    let child = heap[below];
    const right = heap[below + 1];
    if (child !== undefined && right !== undefined && isBefore(right, child)) {
      below += 1;
      child = right;
    }
    if (child === undefined || isBefore(last, child)) break;
    heap[slot] = child;
    slot = below;
  }
  heap[slot] = last;
}
