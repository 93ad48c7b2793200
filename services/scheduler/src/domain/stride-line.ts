/**
 * Who is next where everyone has a rate: a weighted lottery without chance (stride scheduling).
 * Each member has a pass, the cost it has had divided by its rate; the smallest pass is next.
 *
 * The line's virtual time is the smallest pass among those who wait. Who joins starts there, or
 * at its own pass where that is later: idling earns no credit, and leaving sheds no debt while
 * others wait. Once nobody waits everyone has what it wanted, and all debts are over.
 *
 * While two members both wait and only the first is ever charged, what they had of cost / rate
 * differs over any window by at most the largest single cost / rate of each.
 *
 * Passes are doubles that only grow. 10,000 devices that are busy for a year come to 3e14
 * milliseconds at rate 1, where doubles are 1/16 ms apart: far below the cost of a picture, and
 * a term of leadership does not last a year.
 */
import { type HeapMember, IndexedHeap } from "./indexed-heap.ts";

export class StrideMember<T> implements HeapMember {
  readonly target: T;
  /** Cost had so far divided by rate, on the scale of its line. */
  pass = 0;
  sequence = 0;
  slot = -1;
  #rate = 1;

  constructor(target: T, rate: number) {
    this.target = target;
    this.rate = rate;
  }

  get isIn(): boolean {
    return this.slot >= 0;
  }

  get rate(): number {
    return this.#rate;
  }

  /** Above 0; counts for what is charged from now on. */
  set rate(rate: number) {
    if (!(rate > 0 && rate < Number.POSITIVE_INFINITY)) throw new RangeError(`rate ${rate}`);
    this.#rate = rate;
  }
}

export class StrideLine<T> {
  readonly #heap = new IndexedHeap<StrideMember<T>>(isBefore);
  #virtualTime = 0;
  #passMax = 0;
  #sequence = 0;

  /** Members that wait. */
  get size(): number {
    return this.#heap.size;
  }

  /** Cost / rate that those who wait have all had; never goes back. */
  get virtualTime(): number {
    const first = this.#heap.first;
    if (first !== undefined) this.#virtualTime = Math.max(this.#virtualTime, first.pass);
    return this.#virtualTime;
  }

  /** Whose turn it is: the smallest pass; of equal ones, who joined first. */
  get first(): StrideMember<T> | undefined {
    return this.#heap.first;
  }

  /** Joins the line; harmless for who is in. A member belongs to one line for life. */
  add(member: StrideMember<T>): void {
    if (member.isIn) return;
    member.pass = Math.max(member.pass, this.virtualTime);
    member.sequence = this.#sequence++;
    this.#heap.put(member);
  }

  /** Leaves the line; harmless for who is not in. */
  remove(member: StrideMember<T>): void {
    if (!member.isIn) return;
    const { virtualTime } = this;
    this.#heap.remove(member);
    if (this.#heap.size === 0) this.#virtualTime = Math.max(virtualTime, this.#passMax);
  }

  /**
   * Books a cost, wherever the member stands. A negative one gives back what was booked too high:
   * who waits gets it in full, who is idle as far as the virtual time has not passed it.
   */
  charge(member: StrideMember<T>, cost: number): void {
    if (!Number.isFinite(cost)) throw new RangeError(`cost ${cost}`);
    // Looked at before the pass moves: the first one's pass is where a newcomer would stand.
    const { virtualTime } = this;
    const base = member.isIn ? member.pass : Math.max(member.pass, virtualTime);
    member.pass = base + cost / member.rate;
    this.#passMax = Math.max(this.#passMax, member.pass);
    if (member.isIn) this.#heap.put(member);
  }

  /** A new rate that also counts for what the member has had beyond those who wait. */
  rerate(member: StrideMember<T>, rate: number): void {
    const { virtualTime } = this;
    const ahead = Math.max(0, member.pass - virtualTime);
    if (ahead > 0) member.pass = virtualTime + (ahead * member.rate) / rate;
    member.rate = rate;
    if (member.isIn) this.#heap.put(member);
  }

  /** The first `count` members in order of their passes as they stand; nothing moves. */
  peek(count: number): StrideMember<T>[] {
    return this.#heap.peek(count);
  }
}

function isBefore(one: StrideMember<unknown>, other: StrideMember<unknown>): boolean {
  return one.pass < other.pass || (one.pass === other.pass && one.sequence < other.sequence);
}
