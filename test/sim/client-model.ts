/**
 * Clients: they submit and retry under the same request id, cancel, watch, look, change their
 * minds. What they are told is held against the truth. Operators set policies.
 */
import { type JobControl, type JobRecord, WorkerPolicy } from "@zfarm/contract";
import type { Policy, Submit, Verb, WorkItem } from "./case.ts";
import { blankControl, classOf, type GatewayModel, keyOfJob, projectOf } from "./gateway-model.ts";
import { JobWatch } from "./job-watch.ts";
import { Proc, type Routine, wait } from "./kernel.ts";
import type { Oracle } from "./oracle.ts";
import { startAt, type World } from "./world.ts";

const callMs = 15_000;

export class ClientModel {
  readonly proc: Proc;
  readonly #world: World;
  readonly #gateways: readonly GatewayModel[];

  constructor(world: World, gateways: readonly GatewayModel[], index: number) {
    this.#world = world;
    this.#gateways = gateways;
    this.proc = new Proc(`client-${index}`, world.case.seed);
  }

  do(item: WorkItem): void {
    const { kernel } = this.#world;
    switch (item.kind) {
      case "submit":
        return kernel.spawn(this.proc, this.#submit(item));
      case "weight":
      case "burst":
      case "drain-pool":
      case "drain-worker":
      case "lock-worker":
      case "quarantine-worker":
      case "forgive":
      case "speculate":
        return this.#govern(item);
      default:
        return kernel.spawn(this.proc, this.#ask(item));
    }
  }

  /** Again and again under the same id, until it is clear what became of it. */
  *#submit(submit: Submit): Routine {
    const { oracle } = this.#world;
    oracle.submitting += 1;
    yield* this.#submitUntilClear(submit);
    oracle.submitting -= 1;
  }

  *#submitUntilClear(submit: Submit): Routine {
    const { kernel, broker, oracle } = this.#world;
    for (let attempt = 1; attempt <= 12; attempt += 1) {
      const answer = yield* this.#call((gateway) => gateway.admit(submit));
      if (answer?.kind === "ok") {
        const { job } = answer;
        oracle.answered(submit.request, submit.body, { project: projectOf(submit), job });
        oracle.accept(broker, keysOf(projectOf(submit), job, submit.tasks));
        return;
      }
      if (answer?.kind === "reused") return oracle.answered(submit.request, submit.body, "reused");
      if (answer?.kind === "full") return oracle.answered(submit.request, submit.body, "full");
      oracle.mark("submit-retried");
      yield* kernel.sleep(this.proc, 100 + this.proc.rand.below(200 * attempt));
    }
    oracle.mark("submit-given-up");
  }

  *#ask(verb: Verb): Routine {
    const { kernel, broker } = this.#world;
    const oracle: Oracle = this.#world.oracle;
    const accepted = oracle.requests.get(verb.request);
    if (accepted === undefined) return;
    const stored = [...broker.jobs.values()].find(({ value }) => value.job === accepted.job);
    const record = stored?.value ?? this.#world.manifests?.recordOfJob(accepted.job);
    if (record === undefined) oracle.violate("I1", `job ${accepted.job} is gone`);
    for (let attempt = 1; attempt <= 6; attempt += 1) {
      if ((yield* this.#try(verb, record)) === true) {
        oracle.mark(`verb/${verb.kind}`);
        return;
      }
      yield* kernel.sleep(this.proc, 100 + this.proc.rand.below(200 * attempt));
    }
  }

  *#try(verb: Verb, record: JobRecord): Routine<boolean | undefined> {
    const { oracle } = this.#world;
    const keys = keysOf(record.project, record.job, record.taskCount);
    switch (verb.kind) {
      case "cancel": {
        const done = yield* this.#call((gateway) => gateway.cancelAll(record));
        if (done === true) oracle.cancelled(keys);
        return done;
      }
      case "get": {
        const found = yield* this.#call((gateway) => gateway.find(keyOfJob(record)));
        if (found === null && oracle.requests.has(verb.request)) {
          oracle.violate("I1", `job ${record.job} is not found`);
        }
        return found !== undefined;
      }
      case "watch":
        oracle.watches.push(new JobWatch(this.#world, this.#gateways, { record, ...verb }));
        return true;
      case "pause":
      case "resume":
      case "approve":
      case "update":
        return yield* this.#call((gateway) => gateway.control(record, changeOf(verb, record)));
    }
  }

  *#call<T>(ask: (gateway: GatewayModel) => Routine<T>): Routine<T | undefined> {
    const { kernel, broker } = this.#world;
    const gateway = this.proc.rand.pick(this.#gateways);
    if (!gateway.proc.isUp) return undefined;
    return yield* wait<T | undefined>((resume) => {
      let isOpen = true;
      const end = (answer: T | undefined): void => {
        if (isOpen) resume(answer);
        isOpen = false;
      };
      const serve = function* (): Routine {
        const answer = yield* ask(gateway);
        if (!gateway.proc.rand.chance(broker.weather.drop)) kernel.after(2, () => end(answer));
      };
      kernel.spawn(gateway.proc, serve());
      kernel.after(callMs, () => end(undefined));
    });
  }

  #govern({ kind, target, value }: Policy): void {
    const { broker, case: simCase, kernel, oracle } = this.#world;
    oracle.mark(`policy/${kind}`);
    const { projects, pools, workers } = simCase.options;
    if (kind === "weight" || kind === "burst") {
      const project = `p${target % projects}`;
      const before = broker.policies.get(project)?.value;
      const policy =
        before?.kind === "project-policy"
          ? before.policy
          : { project, weight: 1, guaranteeTasks: 0, burstTasks: 0, queuedTasksMax: 0 };
      const change = kind === "weight" ? { weight: value } : { burstTasks: value };
      broker.policies.put(project, { kind: "project-policy", policy: { ...policy, ...change } });
    } else if (kind === "drain-pool" || kind === "speculate") {
      const pool = `pool${target % pools}`;
      const before = broker.policies.get(pool)?.value;
      const policy =
        before?.kind === "pool-policy"
          ? before.policy
          : { pool, draining: false, speculateAfter: 0 };
      const change = kind === "speculate" ? { speculateAfter: value } : { draining: value > 0 };
      broker.policies.put(pool, { kind: "pool-policy", policy: { ...policy, ...change } });
    } else {
      const worker = `w${target % workers}`;
      const before = broker.policies.get(worker)?.value;
      const policy =
        before?.kind === "worker-policy" ? before.policy : WorkerPolicy.fromPartial({ worker });
      const change = workerChange({ kind, value }, new Date(startAt + kernel.now));
      broker.policies.put(worker, { kind: "worker-policy", policy: { ...policy, ...change } });
    }
  }
}

export function keysOf(project: string, job: string, tasks: number): string[] {
  return Array.from({ length: tasks }, (_, index) => `${project}.${job}.${index}`);
}

/** What the verbs of operators make of a worker's policy. */
function workerChange({ kind, value }: Pick<Policy, "kind" | "value">, now: Date) {
  switch (kind) {
    case "drain-worker":
      return { draining: value > 0 };
    case "lock-worker":
      return { lock: value > 0 ? { reason: "sim", lockTime: now } : undefined };
    case "quarantine-worker": {
      const endTime = value > 2 ? undefined : new Date(now.getTime() + value * 4_000);
      return { quarantine: { reason: "sim", endTime } };
    }
    default:
      return { forgiveTime: now, quarantine: undefined };
  }
}

function changeOf({ kind, value }: Verb, record: JobRecord): Partial<JobControl> {
  switch (kind) {
    case "pause":
      return { paused: true };
    case "resume":
      return { paused: false };
    case "approve":
      return { approved: true };
    default: {
      const { scheduling } = blankControl(record);
      const bounds = { maxFailedTasks: 0, sampleTasks: 0, deadlineTime: undefined };
      const priority = { priorityClass: classOf(1 + (value % 3)), priority: 1 + (value % 100) };
      return { scheduling: { ...scheduling, ...bounds, ...priority, maxConcurrency: value % 5 } };
    }
  }
}
