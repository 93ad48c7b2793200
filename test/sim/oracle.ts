/**
 * Knows the truth that no process of the farm knows: what was created, accepted, started, ended.
 * Everything that changes the logs passes here, so that what must never happen is seen at once.
 */
import { type JobRecord, limits, type Outcome, OutcomeKind, type WorkerId } from "@zfarm/contract";
import type { BrokerModel, PowerLoss } from "./broker-model.ts";
import type { FaultKind, SimOptions, TaskNature } from "./case.ts";
import type { JobWatch } from "./job-watch.ts";
import type { Kernel } from "./kernel.ts";
import type { Loss } from "./log-model.ts";
import { entriesOf, type QueuedEntry } from "./queue-model.ts";
import type { WorkerModel } from "./worker-model.ts";

/** An invariant is broken; ends the run. */
export class Violation extends Error {
  readonly invariant: string;

  constructor(invariant: string, detail: string) {
    super(`${invariant}: ${detail}`);
    this.invariant = invariant;
  }
}

export interface TaskTruth {
  readonly key: string;
  readonly project: string;
  readonly job: string;
  readonly nature: TaskNature;
  readonly termsBefore: number;
  /** Its client was told that the farm has it. */
  isAcked: boolean;
  /** Its client was told that the job was canceled. */
  isCanceled: boolean;
  /**
   * A power loss took one of its messages: only then may it be forgotten or end twice, and where
   * manifests are kept only until it is restored.
   */
  isDoubtful: boolean;
  outcome: Outcome | undefined;
  /** On the clock of the kernel. */
  outcomeAt: number;
  /** The one that a power loss took. */
  lost: Outcome | undefined;
  /** Terms that had begun before the outcome was stored. */
  outcomeTerm: number;
  /** Workers that it killed, or whose engine it killed. */
  readonly kills: WorkerId[];
}

interface JobRef {
  readonly project: string;
  readonly job: string;
}

interface AcceptedRequest extends JobRef {
  readonly body: number;
}

interface Surroundings {
  readonly objects: ReadonlyMap<string, string>;
  readonly workers: readonly WorkerModel[];
}

/** Under these workers live and are heard. */
const calmFaults = new Set<FaultKind>([
  "leader-crash",
  "leader-resign",
  "wall-jump",
  "lease-theft",
  "store-down",
  "gateway-crash",
  "worker-slow",
]);

export class Oracle {
  readonly tasks = new Map<string, TaskTruth>();
  /** The accepted ones. */
  readonly requests = new Map<number, AcceptedRequest>();
  readonly watches: JobWatch[] = [];
  readonly marks = new Map<string, number>();
  readonly kernel: Kernel;
  readonly options: SimOptions;
  readonly objects: ReadonlyMap<string, string>;
  readonly workers: readonly WorkerModel[];
  readonly #isCalm: boolean;
  /** Hears of every step of every core, for who looks for a cause. */
  trace: ((line: string) => void) | undefined = undefined;
  newestEpoch = 0n;
  terms = 0;
  /** Accepted and not ended. */
  readonly open = new Set<TaskTruth>();
  acked = 0;
  ended = 0;
  /** Jobs of which it was forgotten whether they were accepted or refused. */
  readonly revived = new Set<string>();
  /** What operators wanted is forgotten until they say it again: no word was given on it. */
  hasLostPolicies = false;
  /** Submits whose clients still try. */
  submitting = 0;
  /** Which task a fence was given out for. */
  readonly #fences = new Map<bigint, string>();
  /** Fences up to here were given out before the newest power loss. */
  #fencesBefore = 0n;
  #lostAt = 0;
  /** When a leader last looked for a copy while the store was away. */
  copiesMissedAt = -1;
  /** The newest epoch that a life of a worker process has obeyed. */
  readonly #obeyed = new Map<string, bigint>();

  constructor(kernel: Kernel, options: SimOptions, surroundings: Surroundings) {
    this.kernel = kernel;
    this.options = options;
    this.objects = surroundings.objects;
    this.workers = surroundings.workers;
    this.#isCalm = options.faults.every((kind) => calmFaults.has(kind));
  }

  violate(invariant: string, detail: string): never {
    throw new Violation(invariant, `${detail} (at ${this.kernel.now} ms)`);
  }

  mark(name: string): void {
    this.marks.set(name, (this.marks.get(name) ?? 0) + 1);
  }

  newTerm(epoch: bigint): void {
    if (epoch <= this.newestEpoch) this.violate("I4", `epoch ${epoch} after ${this.newestEpoch}`);
    this.newestEpoch = epoch;
    this.terms += 1;
  }

  /** A job is recorded: from now on its tasks may be stored, and may end. */
  birth({ project, job, taskCount }: JobRecord, nature: TaskNature): void {
    for (let index = 0; index < taskCount; index += 1) {
      const key = `${project}.${job}.${index}`;
      // Recorded once more, because the record was lost.
      if (this.tasks.has(key)) continue;
      this.tasks.set(key, {
        key,
        project,
        job,
        nature,
        termsBefore: this.terms,
        isAcked: false,
        isCanceled: false,
        isDoubtful: false,
        outcome: undefined,
        outcomeAt: 0,
        lost: undefined,
        outcomeTerm: 0,
        kills: [],
      });
    }
  }

  /** What a client was told of a submit. The same request is the same job, whoever asks. */
  answered(request: number, body: number, answer: JobRef | "reused" | "full"): void {
    const truth = this.requests.get(request);
    if (answer === "full") {
      this.mark("submit-refused");
      return;
    }
    if (answer === "reused") {
      this.mark("request-reused");
      // Until its record is back, whoever came first under the id may be in the way.
      const isLost = this.tasks.get(`${truth?.project}.${truth?.job}.0`)?.isDoubtful === true;
      if (truth?.body === body && !isLost)
        this.violate("I2", `request ${request} is taken for another`);
      return;
    }
    if (truth === undefined) this.requests.set(request, { body, ...answer });
    else if (truth.body !== body) this.violate("I2", `request ${request} accepted with two bodies`);
    else if (truth.job !== answer.job) this.violate("I2", `request ${request} has two jobs`);
    else this.mark("submit-repeated");
  }

  natureOf(key: string): TaskNature {
    return this.tasks.get(key)?.nature ?? "good";
  }

  granted(key: string, fence: bigint): void {
    if (this.#fences.has(fence)) this.violate("I4", `fence ${fence} was given out twice`);
    this.#fences.set(fence, key);
  }

  /** In a world where only leaders change no lease of a working worker may be broken. */
  checkUnheld(key: string): void {
    if (!this.#isCalm) return;
    for (const worker of this.workers) {
      if (worker.held.get(key)?.isDelivering === false) {
        this.violate("I4", `${key} is granted while ${worker.id} renders it`);
      }
    }
  }

  obeyed(worker: WorkerModel, epoch: bigint): void {
    const life = `${worker.proc.name}/${worker.proc.life}`;
    const before = this.#obeyed.get(life) ?? 0n;
    if (epoch < before) this.violate("I4", `${life} obeys epoch ${epoch} after ${before}`);
    this.#obeyed.set(life, epoch);
  }

  started(key: string, fence: bigint): void {
    if (this.#fences.get(fence) !== key) this.violate("I7", `${key} runs under a foreign fence`);
  }

  killed(key: string, worker: WorkerId): void {
    const truth = this.tasks.get(key);
    if (truth === undefined) return;
    truth.kills.push(worker);
    this.mark("poison-killed");
    // Each term may take a few crashes for lost grants, and one is forgotten with a leader that
    // dies before its count is stored.
    const terms = 1 + this.terms - truth.termsBefore;
    const bound = limits.taskCrashesMax + (limits.grantsLostMax + 1) * terms - 1;
    if (truth.kills.length > bound) {
      this.violate("I8", `${key} killed ${truth.kills.join(", ")}`);
    }
  }

  /** The one door to the log of outcomes. Runs at the broker. */
  publish(broker: BrokerModel, key: string, outcome: Outcome): bigint | "conflict" {
    const truth = this.tasks.get(key);
    if (truth === undefined) this.violate("I7", `an outcome of ${key}, which nobody created`);
    const put = broker.outcomes.put(key, outcome, 0n);
    if (put === "conflict") return put;
    if (truth.outcome !== undefined) {
      this.violate("I3", `${key} ended ${truth.outcome.kind}, then ${outcome.kind}`);
    }
    if (truth.lost !== undefined) this.#checkAgain(truth, truth.lost, outcome);
    truth.outcome = outcome;
    truth.outcomeAt = this.kernel.now;
    truth.outcomeTerm = this.terms;
    this.open.delete(truth);
    this.ended += 1;
    if (outcome.kind === OutcomeKind.SUCCEEDED) this.#checkPicture(truth, outcome);
    return put;
  }

  /** The one door through which tasks leave the queue. Runs at the broker. */
  remove(broker: BrokerModel, revision: bigint): void {
    const standing = broker.queue.at(revision);
    if (standing === undefined) this.mark("remove-came-late");
    else for (const entry of entriesOf(standing)) this.#checkLeaving(broker, entry);
    broker.queue.remove(revision);
  }

  #checkLeaving(broker: BrokerModel, { key, isBundled }: QueuedEntry): void {
    const truth = this.tasks.get(key);
    if (truth?.outcome !== undefined || truth?.isDoubtful === true) return;
    if (isBundled && broker.queue.get(key) !== undefined) return;
    this.violate("I1", `${key} leaves the queue without an outcome`);
  }

  isOutcome(broker: BrokerModel, key: string, fence: bigint): boolean {
    return broker.outcomes.get(key)?.value.fence === fence;
  }

  /** A client was told that the farm has these. */
  accept(broker: BrokerModel, keys: readonly string[]): void {
    for (const key of keys) {
      const truth = this.tasks.get(key);
      if (truth === undefined) this.violate("I1", `${key} was accepted and never recorded`);
      const isSomewhere = truth.outcome !== undefined || broker.queue.find(key) !== undefined;
      if (!isSomewhere && !truth.isDoubtful) this.violate("I1", `${key} was accepted too early`);
      if (!truth.isAcked) this.acked += 1;
      truth.isAcked = true;
      if (truth.outcome === undefined) this.open.add(truth);
    }
  }

  cancelled(keys: readonly string[]): void {
    for (const key of keys) {
      const truth = this.tasks.get(key);
      if (truth === undefined) continue;
      truth.isCanceled = true;
      if (truth.outcome === undefined && !truth.isDoubtful) {
        this.violate("I9", `${key} is still open though its cancel was confirmed`);
      }
    }
  }

  /** What the broker had not on its disk. With manifests it must all be back in the end. */
  losePower({ queue, outcomes, jobs, controls, policies }: PowerLoss): void {
    if (policies.gone.length > 0) this.hasLostPolicies = true;
    this.#lostAt = this.kernel.now;
    for (const fence of this.#fences.keys()) {
      if (fence > this.#fencesBefore) this.#fencesBefore = fence;
    }
    for (const message of firstsOf(queue)) {
      for (const { key } of entriesOf(message)) this.#doubt(key);
    }
    for (const { key } of firstsOf(outcomes)) {
      const truth = this.#doubt(key);
      if (truth?.outcome === undefined) continue;
      // Of a job that was not accepted nobody was told anything.
      truth.lost = truth.isAcked ? truth.outcome : undefined;
      truth.outcome = undefined;
      if (truth.isAcked) this.open.add(truth);
      this.ended -= 1;
    }
    for (const { stored } of jobs.gone) this.revived.add(stored.value.job);
    for (const { key } of [...firstsOf(jobs), ...firstsOf(controls)]) {
      for (const task of this.tasks.keys()) if (task.startsWith(`${key}.`)) this.#doubt(task);
    }
    if (this.options.durability === "manifest") return;
    // Whoever asks for such a job again gets a new one.
    const gone = new Set(firstsOf(jobs).map(({ value }) => value.job));
    for (const [request, { job }] of this.requests)
      if (gone.has(job)) this.requests.delete(request);
  }

  #doubt(key: string): TaskTruth | undefined {
    const truth = this.tasks.get(key);
    if (truth !== undefined) truth.isDoubtful = true;
    return truth;
  }

  /** There was time enough to restore everything: from here on nothing is excused. */
  endDoubts(): void {
    if (this.options.durability !== "manifest") return;
    for (const truth of this.tasks.values()) truth.isDoubtful = false;
  }

  /** In a farm with manifests nobody does again what was told to be done. */
  #checkAgain(truth: TaskTruth, lost: Outcome, outcome: Outcome): void {
    if (outcome.fence === lost.fence && outcome.kind === lost.kind) this.mark("outcome-told-again");
    else if (this.options.durability !== "manifest") this.mark("outcome-told-anew");
    // Who was at it before the loss, or ends it without a render, may be faster than the copy.
    else if (outcome.fence <= this.#fencesBefore) this.mark("outcome-overtaken");
    // A leader whose store does not answer leads on without copies.
    else if (this.copiesMissedAt >= this.#lostAt) this.mark("outcome-without-store");
    else this.violate("I3", `${truth.key} was done, lost, and is done anew`);
  }

  #checkPicture({ key, isCanceled, lost }: TaskTruth, { image, fence }: Outcome): void {
    if (isCanceled && lost === undefined)
      this.violate("I9", `${key} became visible after its cancel was confirmed`);
    if (this.#fences.get(fence) !== key) this.violate("I3", `${key} ended under a foreign fence`);
    if (image === undefined || this.objects.get(image.key) !== key) {
      this.violate("I7", `the outcome of ${key} points to no picture of it`);
    }
    if (!image.key.endsWith(`/${fence}.png`)) this.violate("I3", `${key} has another's picture`);
  }
}

/** What was new under its key, and not another version of it. */
function firstsOf<V>({ gone }: Loss<V>) {
  return gone.flatMap(({ stored, isFirst }) => (isFirst ? [stored] : []));
}
