/** The terminal records: the first one of a task is the only one. */
import {
  type JobRef,
  Outcome,
  type ProjectId,
  subjects,
  type TaskId,
  taskIdOf,
} from "@zfarm/contract";
import { type Clock, invariant } from "@zfarm/runtime";
import type { Followed, FollowOutcomes, OutcomeLog, Revision, StoredOutcome } from "./broker.ts";
import { decodeStored, encode } from "./codec.ts";
import { mapFollowed } from "./map-followed.ts";
import type { LogMessage, SubjectLog } from "./ports.ts";
import { readLog } from "./read-log.ts";
import { type ShardView, showsProject } from "./shard-view.ts";

export class LogOutcomes implements OutcomeLog {
  readonly #log: SubjectLog;
  readonly #clock: Clock;
  readonly #view: ShardView;

  constructor(log: SubjectLog, { clock, view }: { clock: Clock; view: ShardView }) {
    this.#log = log;
    this.#clock = clock;
    this.#view = view;
  }

  async publish(outcome: Outcome): Promise<"won" | "lost"> {
    invariant(outcome.spec !== undefined, "an outcome has a spec");
    const id = taskIdOf(outcome.spec);
    const bytes = encode(Outcome, outcome);
    const put = await this.#log.put({ subject: subjects.outcome(id), bytes, expected: 0n });
    if (put.kind === "stored") return "won";
    // Whoever publishes again after an answer that got lost must not take itself for the loser:
    // a worker that lost removes its picture, which may be the one that the winner points to.
    const standing = await this.#log.last(subjects.outcome(id));
    if (standing === undefined) return "lost";
    if (Buffer.compare(standing.bytes, bytes) === 0) return "won";
    return isSameAttempt(storedOutcome(standing).outcome, outcome) ? "won" : "lost";
  }

  async find(id: TaskId): Promise<StoredOutcome | undefined> {
    const message = await this.#log.last(subjects.outcome(id));
    return message === undefined ? undefined : storedOutcome(message);
  }

  async list(job: JobRef): Promise<StoredOutcome[]> {
    const found = await this.#readAll({ job }, Number.POSITIVE_INFINITY);
    return found ?? [];
  }

  listProject(project: ProjectId, max: number): Promise<StoredOutcome[] | undefined> {
    return this.#readAll({ project }, max);
  }

  /** Undefined where there are more than `max`. */
  async #readAll(
    whose: Pick<FollowOutcomes, "job" | "project">,
    max: number,
  ): Promise<StoredOutcome[] | undefined> {
    const name = whose.job === undefined ? `project ${whose.project}` : `job ${whose.job.job}`;
    const reading = { clock: this.#clock, what: `outcomes of ${name}`, max };
    return await readLog((stop) => this.follow({ ...whose, after: 0n, stop }), reading);
  }

  lastRevision(): Promise<Revision> {
    return this.#log.lastRevision();
  }

  follow(options: FollowOutcomes): AsyncIterable<Followed<StoredOutcome>> {
    const { after, stop } = options;
    const filter = filterOf(options);
    return mapFollowed(this.#log.follow({ filter, after, stop }), (message) => {
      return this.#isShown(message) ? storedOutcome(message) : undefined;
    });
  }

  #isShown(message: LogMessage): boolean {
    return this.#view.only === undefined || showsProject(this.#view, projectOf(message));
  }
}

function filterOf({ job, project }: FollowOutcomes): string {
  if (job !== undefined) return subjects.outcomesOfJob(job);
  return project === undefined ? subjects.outcomesAll : subjects.outcomesOfProject(project);
}

/** From the subject, so that what another shard's leader reads need not be decoded here. */
function projectOf({ subject }: LogMessage): string {
  return subject.split(".")[1] ?? "";
}

/** A fence belongs to one attempt, so the same fence and kind are the same news told again. */
function isSameAttempt(a: Outcome, b: Outcome): boolean {
  return a.fence !== 0n && a.fence === b.fence && a.kind === b.kind;
}

function storedOutcome(message: LogMessage): StoredOutcome {
  return { outcome: decodeStored(Outcome, message), revision: message.revision };
}
