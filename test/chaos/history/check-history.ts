/**
 * Judges a run: compares what clients were told with what the farm holds in the end. Pure, so that
 * its own tests can feed it bad histories; an empty list of violations means the promises held.
 */
import type { EndState, FarmScan, HistoryEntry, StoredOutcomeFact, WantedTask } from "./history.ts";

export type Rule =
  /** Accepted, and no outcome. */
  | "lost"
  /** Accepted and ended otherwise than succeeded, though nobody canceled it. */
  | "not-succeeded"
  /** An outcome, a queued task or an object of something nobody asked for. */
  | "phantom"
  /** Two outcomes of one task, or one watcher saw it end twice. */
  | "duplicate"
  /** What a client was told is not what stands in the end. */
  | "stale"
  /** A picture that is not the one its spec draws, or is not there. */
  | "wrong-bytes"
  /** A watcher was told that the job ended and was not told of all tasks. */
  | "watch-gap"
  /** A watcher heard outcomes in another order than they happened. */
  | "watch-order"
  /** A watcher heard more than one end of the job, or something after it. */
  | "watch-terminal"
  /** Refused, and rendered all the same. */
  | "refused-but-rendered"
  /** The same request id gave another job. */
  | "other-job"
  /** In the queue although it has an outcome, or still there when the farm came to rest. */
  | "left-in-queue";

export interface Violation {
  readonly rule: Rule;
  /** `job/index`, a job, or a key. */
  readonly subject: string;
  readonly detail: string;
}

export interface CheckOptions {
  /** Reasons of failure that the faults of this run explain. */
  readonly toleratedFailures?: readonly string[];
}

export interface Judgement {
  readonly violations: readonly Violation[];
  readonly counts: {
    readonly tasksAttempted: number;
    readonly tasksAcked: number;
    readonly tasksEnded: number;
    readonly tasksSeen: number;
    /** Ended although nobody was told that they were accepted. */
    readonly tasksRecovered: number;
    readonly failuresTolerated: number;
    /** Objects that no outcome points to: wasted work, no fault. */
    readonly objectsUnreferenced: number;
  };
}

interface JobFacts {
  readonly tasks: ReadonlyMap<number, WantedTask>;
  acked: boolean;
  refused: boolean;
  unknown: boolean;
  canceled: boolean;
}

export function checkHistory(
  entries: readonly HistoryEntry[],
  scan: FarmScan,
  options: CheckOptions = {},
): Judgement {
  const jobs = collectJobs(entries);
  const outcomes = indexOutcomes(scan.outcomes);
  const tolerated = countTolerated(jobs, outcomes, options);
  const violations = [
    ...checkSubmits(entries),
    ...checkEnds(jobs, outcomes, options),
    ...checkOutcomes(jobs, scan.outcomes),
    ...checkObjects(jobs, scan),
    ...checkQueue(jobs, scan, outcomes),
    ...checkWatches(entries, { jobs, outcomes }),
  ];
  return { violations, counts: { ...countTasks({ entries, jobs, scan }), ...tolerated } };
}

function collectJobs(entries: readonly HistoryEntry[]): Map<string, JobFacts> {
  const jobs = new Map<string, JobFacts>();
  for (const entry of entries) {
    if (entry.kind === "submit-invoked" && !jobs.has(entry.job)) {
      const tasks = new Map(entry.tasks.map((task) => [task.index, task]));
      jobs.set(entry.job, { tasks, acked: false, refused: false, unknown: false, canceled: false });
    }
    const job = jobs.get(entry.job);
    if (job === undefined) continue;
    if (entry.kind === "submit-ok") job.acked = true;
    if (entry.kind === "submit-refused") job.refused = true;
    if (entry.kind === "submit-unknown") job.unknown = true;
    if (entry.kind === "cancel-invoked") job.canceled = true;
  }
  return jobs;
}

function indexOutcomes(outcomes: readonly StoredOutcomeFact[]): Map<string, StoredOutcomeFact> {
  const byTask = new Map<string, StoredOutcomeFact>();
  for (const outcome of outcomes) byTask.set(subjectOf(outcome), outcome);
  return byTask;
}

function subjectOf({ job, index }: { readonly job: string; readonly index: number }): string {
  return `${job}/${index}`;
}

function checkSubmits(entries: readonly HistoryEntry[]): Violation[] {
  return entries.flatMap((entry) => {
    if (entry.kind !== "submit-ok" || entry.returned === entry.job) return [];
    return [{ rule: "other-job", subject: entry.job, detail: `the farm named ${entry.returned}` }];
  });
}

/** What was accepted ends, and well. */
function checkEnds(
  jobs: ReadonlyMap<string, JobFacts>,
  outcomes: ReadonlyMap<string, StoredOutcomeFact>,
  { toleratedFailures = [] }: CheckOptions,
): Violation[] {
  return [...jobs].flatMap(([job, facts]) =>
    [...facts.tasks.keys()].flatMap((index): Violation[] => {
      const subject = subjectOf({ job, index });
      const outcome = outcomes.get(subject);
      const rule = judgeEnd(facts, outcome, toleratedFailures);
      if (rule === undefined) return [];
      return [{ rule, subject, detail: outcome === undefined ? "no outcome" : describe(outcome) }];
    }),
  );
}

function judgeEnd(
  facts: JobFacts,
  outcome: StoredOutcomeFact | undefined,
  toleratedFailures: readonly string[],
): Rule | undefined {
  if (facts.acked) {
    if (outcome === undefined) return "lost";
    return isExpected(outcome, facts, toleratedFailures) ? undefined : "not-succeeded";
  }
  const isBroken = facts.refused && outcome?.state === "succeeded";
  return isBroken ? "refused-but-rendered" : undefined;
}

function isExpected(
  outcome: StoredOutcomeFact,
  facts: JobFacts,
  toleratedFailures: readonly string[],
): boolean {
  if (outcome.state === "succeeded") return true;
  if (outcome.state === "canceled") return facts.canceled;
  return toleratedFailures.includes(outcome.reason);
}

/** What ended was asked for, ended once, and as its spec draws it. */
function checkOutcomes(
  jobs: ReadonlyMap<string, JobFacts>,
  outcomes: readonly StoredOutcomeFact[],
): Violation[] {
  const seen = new Set<string>();
  return outcomes.flatMap((outcome): Violation[] => {
    const subject = subjectOf(outcome);
    const wanted = jobs.get(outcome.job)?.tasks.get(outcome.index);
    if (wanted === undefined) return [{ rule: "phantom", subject, detail: describe(outcome) }];
    if (seen.has(subject)) return [{ rule: "duplicate", subject, detail: describe(outcome) }];
    seen.add(subject);
    if (outcome.state !== "succeeded" || outcome.sha256 === wanted.sha256) return [];
    return [{ rule: "wrong-bytes", subject, detail: `outcome says ${outcome.sha256}` }];
  });
}

/** A picture that is pointed to is there as recorded; other objects were at least asked for. */
function checkObjects(jobs: ReadonlyMap<string, JobFacts>, scan: FarmScan): Violation[] {
  const objects = new Map(scan.objects.map((object) => [object.key, object.sha256]));
  const pointers = scan.outcomes.flatMap((outcome): Violation[] => {
    if (outcome.state !== "succeeded") return [];
    const found = objects.get(outcome.key);
    if (found === outcome.sha256) return [];
    const detail = found === undefined ? "the object is missing" : `the object is ${found}`;
    return [{ rule: "wrong-bytes", subject: outcome.key, detail }];
  });
  const strangers = scan.objects.flatMap((object): Violation[] => {
    const match = /^[^/]+\/([^/]+)\/(\d+)\//.exec(object.key);
    const wanted = jobs.get(match?.[1] ?? "")?.tasks.has(Number(match?.[2]));
    if (wanted === true) return [];
    return [{ rule: "phantom", subject: object.key, detail: "nobody asked for this object" }];
  });
  return [...pointers, ...strangers];
}

function checkQueue(
  jobs: ReadonlyMap<string, JobFacts>,
  scan: FarmScan,
  outcomes: ReadonlyMap<string, StoredOutcomeFact>,
): Violation[] {
  return scan.queued.map((task): Violation => {
    const subject = subjectOf(task);
    if (jobs.get(task.job)?.tasks.has(task.index) !== true) {
      return { rule: "phantom", subject, detail: "in the queue and asked for by nobody" };
    }
    const detail = outcomes.has(subject) ? "has an outcome as well" : "never ended";
    return { rule: "left-in-queue", subject, detail };
  });
}

interface WatchFacts {
  readonly job: string;
  readonly seen: Set<number>;
  lastRevision: bigint;
  ends: number;
}

/** One watcher hears every end once, in order, and the end of the job once and last. */
function checkWatches(
  entries: readonly HistoryEntry[],
  known: {
    readonly jobs: ReadonlyMap<string, JobFacts>;
    readonly outcomes: ReadonlyMap<string, StoredOutcomeFact>;
  },
): Violation[] {
  const watches = new Map<string, WatchFacts>();
  const violations: Violation[] = [];
  for (const entry of entries) {
    if (entry.kind !== "task-seen" && entry.kind !== "job-seen") continue;
    const watch = watches.get(entry.watch) ?? createWatch(entry.job);
    watches.set(entry.watch, watch);
    if (watch.ends > 0) {
      const detail = `heard ${entry.kind} after the job's end`;
      violations.push({ rule: "watch-terminal", subject: entry.watch, detail });
    }
    if (entry.kind === "job-seen") watch.ends += 1;
    else violations.push(...checkSeen(entry, watch, known.outcomes));
  }
  for (const [name, watch] of watches) {
    const wanted = known.jobs.get(watch.job)?.tasks.size ?? 0;
    if (watch.ends === 0 || watch.seen.size === wanted) continue;
    const detail = `saw ${watch.seen.size} of ${wanted} tasks`;
    violations.push({ rule: "watch-gap", subject: name, detail });
  }
  return violations;
}

function createWatch(job: string): WatchFacts {
  return { job, seen: new Set(), lastRevision: 0n, ends: 0 };
}

function checkSeen(
  entry: HistoryEntry & { readonly kind: "task-seen" },
  watch: WatchFacts,
  outcomes: ReadonlyMap<string, StoredOutcomeFact>,
): Violation[] {
  const subject = subjectOf(entry);
  if (watch.seen.has(entry.index)) {
    return [{ rule: "duplicate", subject, detail: `${entry.watch} saw it end twice` }];
  }
  watch.seen.add(entry.index);
  const standing = outcomes.get(subject);
  if (standing === undefined) {
    return [{ rule: "stale", subject, detail: `${entry.watch} saw it end, nothing stands` }];
  }
  if (standing.state !== entry.state || standing.sha256 !== entry.sha256) {
    const told = `${entry.watch} saw ${entry.state} ${entry.sha256}`;
    return [{ rule: "stale", subject, detail: `${told}, ${describe(standing)} stands` }];
  }
  const isLate = standing.revision < watch.lastRevision;
  watch.lastRevision = standing.revision;
  return isLate ? [{ rule: "watch-order", subject, detail: `${entry.watch} heard it late` }] : [];
}

function countTasks({
  entries,
  jobs,
  scan,
}: {
  readonly entries: readonly HistoryEntry[];
  readonly jobs: ReadonlyMap<string, JobFacts>;
  readonly scan: FarmScan;
}) {
  const total = (facts: readonly JobFacts[]): number =>
    facts.reduce((sum, job) => sum + job.tasks.size, 0);
  const all = [...jobs.values()];
  const pointed = new Set(scan.outcomes.map(({ key }) => key));
  const seen = entries.flatMap((entry) => (entry.kind === "task-seen" ? [subjectOf(entry)] : []));
  const recovered = scan.outcomes.filter(({ job }) => {
    const facts = jobs.get(job);
    return facts !== undefined && facts.unknown && !facts.acked;
  });
  return {
    tasksAttempted: total(all),
    tasksAcked: total(all.filter((job) => job.acked)),
    tasksEnded: new Set(scan.outcomes.map(subjectOf)).size,
    tasksSeen: new Set(seen).size,
    tasksRecovered: recovered.length,
    objectsUnreferenced: scan.objects.filter(({ key }) => !pointed.has(key)).length,
  };
}

function countTolerated(
  jobs: ReadonlyMap<string, JobFacts>,
  outcomes: ReadonlyMap<string, StoredOutcomeFact>,
  { toleratedFailures = [] }: CheckOptions,
): { readonly failuresTolerated: number } {
  const tolerated = [...outcomes.values()].filter((outcome) => {
    const isBad: boolean = (["failed", "expired"] satisfies EndState[]).some(
      (state) => state === outcome.state,
    );
    return isBad && jobs.has(outcome.job) && toleratedFailures.includes(outcome.reason);
  });
  return { failuresTolerated: tolerated.length };
}

function describe({ state, reason, fence, worker, attempt }: StoredOutcomeFact): string {
  return `${state} ${reason} by ${worker || "nobody"}, attempt ${attempt}, fence ${fence}`;
}
