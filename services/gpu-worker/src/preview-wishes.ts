/** Remembers whose previews somebody wishes to see, for a while after each wish. */
import { type JobRef, limits } from "@zfarm/contract";

export class PreviewWishes {
  /** When each job's last wish ends, in the order of the newest wishes. */
  readonly #ends = new Map<string, number>();

  note(job: JobRef, nowMs: number): void {
    const key = keyOf(job);
    this.#ends.delete(key);
    this.#ends.set(key, nowMs + limits.previewWishMs);
    const [oldest] = this.#ends.keys();
    if (this.#ends.size > limits.previewWishesMax && oldest !== undefined) {
      this.#ends.delete(oldest);
    }
  }

  has(job: JobRef, nowMs: number): boolean {
    return (this.#ends.get(keyOf(job)) ?? 0) > nowMs;
  }
}

function keyOf({ project, job }: JobRef): string {
  return `${project}/${job}`;
}
