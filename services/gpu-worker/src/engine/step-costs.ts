/** Remembers how long denoise runs take, by what shares them and how many pictures are in them. */

/** Of so many newest runs the fastest counts: whatever disturbs a run only ever slows it. */
const runsKept = 8;
/** A size of batch not run for so many runs of its group is tried again: machines change. */
const runsTrusted = 64;
/** Groups remembered, those of the newest runs; far more than are ever active at once. */
const groupsMax = 64;

interface Group {
  runs: number;
  readonly bySize: Map<number, { readonly tookMs: number[]; lastRun: number }>;
}

export class StepCosts {
  readonly #groups = new Map<string, Group>();

  note(group: string, run: { readonly pictures: number; readonly tookMs: number }): void {
    const known = this.#groups.get(group) ?? { runs: 0, bySize: new Map() };
    // Set anew, so that the map is in the order of the newest runs.
    this.#groups.delete(group);
    this.#groups.set(group, known);
    known.runs += 1;
    const sized = known.bySize.get(run.pictures) ?? { tookMs: [], lastRun: 0 };
    sized.tookMs.push(run.tookMs);
    if (sized.tookMs.length > runsKept) sized.tookMs.shift();
    sized.lastRun = known.runs;
    known.bySize.set(run.pictures, sized);
    const [oldest] = this.#groups.keys();
    if (this.#groups.size > groupsMax && oldest !== undefined) this.#groups.delete(oldest);
  }

  /** Milliseconds of a run of so many; undefined where that was not seen lately. */
  msOf(group: string, pictures: number): number | undefined {
    const known = this.#groups.get(group);
    const sized = known?.bySize.get(pictures);
    if (known === undefined || sized === undefined) return undefined;
    if (known.runs - sized.lastRun > runsTrusted) return undefined;
    return Math.min(...sized.tookMs);
  }
}
