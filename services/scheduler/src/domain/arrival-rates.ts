/** How soon more tasks will come, for each shape of a pool. */
import { limits } from "@zfarm/contract";
import { ArrivalRate, type BatchRoom } from "./arrival-rate.ts";

export class ArrivalRates {
  /** The shape seen longest ago first. */
  readonly #rates = new Map<string, ArrivalRate>();
  /** Tasks of one job come in a row, and mostly look the same. */
  #seenLast: string | undefined;

  note(shape: string, now: number): void {
    const rate = this.#rates.get(shape) ?? new ArrivalRate();
    rate.note(now);
    if (shape !== this.#seenLast) this.#renew(shape, rate);
  }

  #renew(shape: string, rate: ArrivalRate): void {
    this.#seenLast = shape;
    this.#rates.delete(shape);
    this.#rates.set(shape, rate);
    for (const oldest of this.#rates.keys()) {
      if (this.#rates.size <= limits.costShapesMax) return;
      this.#rates.delete(oldest);
    }
  }

  /** How long to hold a grant of the shape from now on, in milliseconds. */
  holdMs(shape: string, now: number, room: BatchRoom): number {
    return this.#rates.get(shape)?.holdMs(now, room) ?? 0;
  }
}
