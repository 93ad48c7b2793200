/**
 * A binary heap whose members know their place: the first one is found in O(1), and any member
 * leaves or moves in O(log n), wherever it stands.
 */

export interface HeapMember {
  /** Place in its heap; -1 outside. Written by the heap alone. */
  slot: number;
}

export class IndexedHeap<T extends HeapMember> {
  readonly #members: T[] = [];
  readonly #isBefore: (one: T, other: T) => boolean;

  /** The order must be total, or equal members come out in an order nobody can foretell. */
  constructor(isBefore: (one: T, other: T) => boolean) {
    this.#isBefore = isBefore;
  }

  get size(): number {
    return this.#members.length;
  }

  get first(): T | undefined {
    return this.#members[0];
  }

  /** Adds the member, or finds its new place after its key has changed. */
  put(member: T): void {
    if (member.slot < 0) {
      member.slot = this.#members.length;
      this.#members.push(member);
    }
    this.#rise(member);
    this.#sink(member);
  }

  /** Takes the member out; harmless when it is not in. */
  remove(member: T): void {
    if (member.slot < 0) return;
    const last = this.#members.pop();
    if (last !== undefined && last !== member) {
      // The last one fills the gap; it may belong above or below, and moves at most one way.
      this.#place(last, member.slot);
      this.#rise(last);
      this.#sink(last);
    }
    member.slot = -1;
  }

  /** The first `count` members in order; the heap stays as it is. O(count log count) compares. */
  peek(count: number): T[] {
    const taken: T[] = [];
    // Whoever comes next is the first member or a child of one that was taken; best at the end.
    const open: T[] = this.#members.slice(0, 1);
    while (taken.length < count) {
      const best = open.pop();
      if (best === undefined) break;
      taken.push(best);
      for (const child of [best.slot * 2 + 1, best.slot * 2 + 2]) {
        const member = this.#members[child];
        if (member !== undefined) this.#insertOpen(open, member);
      }
    }
    return taken;
  }

  #insertOpen(open: T[], member: T): void {
    let low = 0;
    let high = open.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const other = open[middle];
      if (other !== undefined && this.#isBefore(member, other)) low = middle + 1;
      else high = middle;
    }
    open.splice(low, 0, member);
  }

  #place(member: T, slot: number): void {
    member.slot = slot;
    this.#members[slot] = member;
  }

  #rise(member: T): void {
    while (member.slot > 0) {
      const parent = this.#members[(member.slot - 1) >> 1];
      if (parent === undefined || this.#isBefore(parent, member)) return;
      const { slot } = member;
      this.#place(member, parent.slot);
      this.#place(parent, slot);
    }
  }

  #sink(member: T): void {
    for (;;) {
      const left = this.#members[member.slot * 2 + 1];
      const right = this.#members[member.slot * 2 + 2];
      const least =
        left !== undefined && right !== undefined && this.#isBefore(right, left) ? right : left;
      if (least === undefined || this.#isBefore(member, least)) return;
      const { slot } = member;
      this.#place(member, least.slot);
      this.#place(least, slot);
    }
  }
}
