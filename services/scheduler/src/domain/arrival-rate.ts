/**
 * How soon more tasks of a shape will come, from the gaps between those that came: decides
 * whether a grant with room is worth holding for a few milliseconds.
 */
import { limits } from "@zfarm/contract";

/** Weight of the newest gap: about ten gaps replace what was known. */
const newest = 0.2;

export interface BatchRoom {
  /** Tasks of the shape that wait. */
  readonly queued: number;
  /** Tasks that the grant has room for. */
  readonly slotsFree: number;
  /** How long the oldest of them has been held already, in milliseconds. */
  readonly heldMs: number;
}

export class ArrivalRate {
  /** Mean gap in milliseconds; infinite until two have come. */
  #gapMs = Number.POSITIVE_INFINITY;
  #lastAt: number | undefined = undefined;
  #count = 0;

  /** A task has come at `now`. */
  note(now: number): void {
    this.#count += 1;
    const gapMs = this.#lastAt === undefined ? undefined : Math.max(0, now - this.#lastAt);
    this.#lastAt = now;
    if (gapMs === undefined) return;
    const known = Number.isFinite(this.#gapMs);
    this.#gapMs = known ? this.#gapMs + newest * (gapMs - this.#gapMs) : gapMs;
  }

  /** How many tasks should come within the next `withinMs`. A silence longer than usual counts. */
  expect(now: number, withinMs: number): number {
    if (this.#lastAt === undefined || this.#count < limits.batchArrivalsMin) return 0;
    const gapMs = Math.max(this.#gapMs, now - this.#lastAt);
    // Several in the same millisecond: the clock cannot tell how many there would be.
    return gapMs === 0 ? withinMs : withinMs / gapMs;
  }

  /**
   * How long to hold a grant from now on: 0 where it is full, where nothing is to be expected,
   * or where it has been held for `limits.batchHoldMs`.
   */
  holdMs(now: number, { queued, slotsFree, heldMs }: BatchRoom): number {
    if (queued === 0 || queued >= Math.min(slotsFree, limits.batchTasksMax)) return 0;
    const leftMs = Math.max(0, limits.batchHoldMs - heldMs);
    return this.expect(now, leftMs) >= 1 ? leftMs : 0;
  }
}
