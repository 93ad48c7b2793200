/** Tells in each task's trace what the leader decided about it; nothing while tracing is off. */
import { type Lease, type TaskSpec, taskIdOf, taskKey } from "@zfarm/contract";
import type { Clock, SpanFacts, Tracing } from "@zfarm/runtime";
import type { Grant, ReleaseReason, SchedulerEffect } from "./domain/scheduler-effect.ts";

type EffectOf<Kind extends SchedulerEffect["kind"]> = Extract<SchedulerEffect, { kind: Kind }>;

/** Ends of leases that no worker tells of: it is gone, or never had the task. */
const silentEnds: ReadonlySet<ReleaseReason> = new Set([
  "lease-expired",
  "lease-dropped",
  "grant-lost",
]);

export class TaskTraces {
  readonly #tracing: Tracing;
  readonly #clock: Clock;

  constructor(tracing: Tracing, clock: Clock) {
    this.#tracing = tracing;
    this.#clock = clock;
  }

  /** The leases of a grant as they leave: the attempt goes on beneath the wait that ends here. */
  grant(grant: Grant): Lease[] {
    if (!this.#tracing.isOn) return [...grant.leases];
    return grant.leases.map((lease, index) => this.#endWait(grant, lease, index));
  }

  /** The attempt of a worker that fell silent: nobody else can tell of it. */
  released({ id, reason, worker, traceparent, ...lease }: EffectOf<"task-released">): void {
    if (!silentEnds.has(reason) || traceparent === undefined) return;
    const { fence, attempt, grantedAt: startMs } = lease;
    const facts = { ...factsOf(taskKey(id), { fence, attempt }), "zfarm.worker": worker };
    const span = this.#tracing.begin("attempt lost", traceparent, { startMs, facts });
    span.fail(reason);
    span.end(this.#clock.now());
  }

  /** An end that no worker brought. */
  ended({ id, reason, outcome }: EffectOf<"publish-outcome">): void {
    const { traceparent } = outcome.spec ?? {};
    if (traceparent === undefined) return;
    const facts = { "zfarm.task": taskKey(id), "zfarm.reason": reason };
    this.#tracing.begin("end task", traceparent, { facts }).end();
  }

  #endWait(grant: Grant, lease: Lease, index: number): Lease {
    const { spec } = lease;
    if (spec?.traceparent === undefined) return lease;
    const nowMs = this.#clock.now();
    const span = this.#tracing.begin("grant", spec.traceparent, {
      kind: "producer",
      startMs: nowMs - (grant.waitedMs[index] ?? 0),
      facts: {
        ...factsOf(keyOf(spec), lease),
        "zfarm.worker": grant.worker,
        "zfarm.pool": spec.pool,
        "zfarm.reason": grant.reason,
        "zfarm.batch_tasks": grant.leases.length,
      },
    });
    span.end(nowMs);
    const { traceparent } = span;
    return traceparent === undefined ? lease : { ...lease, traceparent };
  }
}

function factsOf(task: string, { fence, attempt }: Pick<Lease, "fence" | "attempt">): SpanFacts {
  return { "zfarm.task": task, "zfarm.attempt": attempt, "zfarm.fence": String(fence) };
}

function keyOf(spec: TaskSpec): string {
  return taskKey(taskIdOf(spec));
}
