/**
 * Decides which active tasks take the next denoise step. Pure.
 *
 * The task with the least work left goes first, because finishing it first shortens the mean wait
 * most; others that can share its run come along as far as that saves device time. Where a batch
 * is no faster than its pictures one by one, as on a CPU, running them together would only make
 * all of them as late as the last. docs/internals/batching.md has the measurements.
 */

export interface Steppable {
  /** Only tasks of one group can share a run. */
  readonly group: string;
  /** Shares with nobody. */
  readonly alone: boolean;
  readonly steps: number;
  readonly stepsLeft: number;
  readonly arrivedMs: number;
}

/** Milliseconds of a run of so many pictures of a group; undefined: not known. */
export type CostOf = (group: string, pictures: number) => number | undefined;

/** What is known of runs. */
export interface Runs<Task> {
  readonly costOf: CostOf;
  /** Whether one run takes the adapters of all these; of a single task it always does. */
  readonly fit: (tasks: readonly Task[]) => boolean;
}

/**
 * A task that has been here for so many times what it takes alone goes before shorter ones, the
 * oldest first: nobody starves, and under too much load it is first come, first served.
 */
export const stretchMax = 8;

/**
 * A smaller batch is as good if its pictures cost the device at most this much more: less would
 * let noise in the measured times decide, more wastes capacity when it is short.
 */
export const batchSlack = 0.03;

/** The tasks of the next run, at least one of `active`, which must not be empty. */
export function chooseBatch<Task extends Steppable>(
  active: readonly Task[],
  { costOf, fit }: Runs<Task>,
  nowMs: number,
): Task[] {
  const ranked = rank(active, costOf, nowMs);
  const [first] = ranked;
  if (first === undefined) return [];
  const sharing = ranked.filter((task) => task === first || canShare(first, task));
  const group = keepFitting(sharing, fit);
  const size = chooseSize(group.length, (count) => costOf(first.group, count));
  return group.slice(0, size);
}

/** Those of a group, from the first on, that fit into one run; the others step later. */
function keepFitting<Task>(group: readonly Task[], fit: Runs<Task>["fit"]): Task[] {
  const kept: Task[] = [];
  for (const task of group) {
    if (kept.length === 0 || fit([...kept, task])) kept.push(task);
  }
  return kept;
}

function canShare(first: Steppable, other: Steppable): boolean {
  return !first.alone && !other.alone && first.group === other.group;
}

function rank<Task extends Steppable>(
  active: readonly Task[],
  costOf: CostOf,
  nowMs: number,
): Task[] {
  const keyed = active.map((task) => {
    // A group of unknown cost goes first: after one step it is known.
    const stepMs = costOf(task.group, 1) ?? 0;
    const isLate = stepMs > 0 && nowMs - task.arrivedMs > stretchMax * task.steps * stepMs;
    return { task, isLate, leftMs: task.stepsLeft * stepMs };
  });
  keyed.sort((one, other) => {
    if (one.isLate !== other.isLate) return one.isLate ? -1 : 1;
    const byAge = one.task.arrivedMs - other.task.arrivedMs;
    return one.isLate ? byAge : one.leftMs - other.leftMs || byAge;
  });
  return keyed.map(({ task }) => task);
}

/** The smallest batch of up to `count` whose pictures are about as cheap as they get. */
function chooseSize(count: number, msOf: (count: number) => number | undefined): number {
  // Both ends are tried before anything is decided; what lies between follows from them.
  const [oneMs, allMs] = [msOf(1), msOf(count)];
  if (oneMs === undefined) return 1;
  if (allMs === undefined) return count;
  const perPicture = Array.from({ length: count }, (_, at) => {
    const share = count === 1 ? 0 : at / (count - 1);
    return (msOf(at + 1) ?? oneMs + (allMs - oneMs) * share) / (at + 1);
  });
  const bound = Math.min(...perPicture) * (1 + batchSlack);
  return perPicture.findIndex((ms) => ms <= bound) + 1;
}
