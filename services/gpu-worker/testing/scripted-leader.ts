/** A leader that does what a test says: it grants what it is given and notes what it hears. */
import type { Broker } from "@zfarm/broker";
import {
  type AttemptReport,
  defaultPool,
  defaultProject,
  type Heartbeat,
  type ImageSpec,
  type JobId,
  type Lease,
  type LoraRef,
  limits,
  type Progress,
  type WorkerId,
  WorkerState,
  type WorkGrant,
  type WorkRequest,
} from "@zfarm/contract";

export const job = "a".repeat(26) as JobId;
export const workerUnderTest = "worker-under-test" as WorkerId;

interface Ask {
  readonly request: WorkRequest;
  readonly respond: (grant: WorkGrant) => void;
}

export class ScriptedLeader {
  readonly reports: AttemptReport[] = [];
  readonly beats: Heartbeat[] = [];
  readonly progress: Progress[] = [];
  readonly asks: WorkRequest[] = [];
  readonly #broker: Broker;
  #ask: Ask | undefined;
  /** Grants that wait for the next ask. */
  readonly #grants: WorkGrant[] = [];

  static async start(broker: Broker): Promise<ScriptedLeader> {
    const leader = new ScriptedLeader(broker);
    broker.link.serveReports((report) => leader.reports.push(report));
    broker.link.onBeat((beat) => leader.#hear(beat));
    const watched = { project: defaultProject, job };
    await broker.progress.subscribe(watched, (progress) => leader.progress.push(progress));
    broker.link.serveAsks((request, respond) => {
      leader.asks.push(request);
      leader.#ask = { request, respond };
      leader.#answer();
    });
    return leader;
  }

  private constructor(broker: Broker) {
    this.#broker = broker;
  }

  /** Answers the ask that waits, or else the next one. */
  grant(leases: Lease[], epoch = 1n): void {
    this.#grants.push({ epoch, leaseMs: limits.leaseMs, leases });
    this.#answer();
  }

  cancel(lease: Lease, epoch = 1n): void {
    const value = { project: defaultProject, job, index: lease.spec?.index ?? 0 };
    const leased = { ...value, fence: lease.fence, step: 0 };
    const command = { $case: "cancel", value: leased } as const;
    this.#broker.link.control(workerUnderTest, { epoch, command });
  }

  drain(epoch = 1n): void {
    const command = { $case: "drain", value: {} } as const;
    this.#broker.link.control(workerUnderTest, { epoch, command });
  }

  resume(epoch = 1n): void {
    const command = { $case: "resume", value: {} } as const;
    this.#broker.link.control(workerUnderTest, { epoch, command });
  }

  prewarm(lora: LoraRef, epoch = 1n): void {
    const command = { $case: "prewarm", value: { lora } } as const;
    this.#broker.link.control(workerUnderTest, { epoch, command });
  }

  /** Says that it leads. */
  announce(epoch: bigint): void {
    const command = { $case: "announce", value: {} } as const;
    this.#broker.link.control(workerUnderTest, { epoch, command });
  }

  /** Denoise steps heard of for a task. */
  stepsOf(index: number): number[] {
    return this.progress.flatMap((news) =>
      news.index === index && news.event?.$case === "step" ? [news.event.value.index] : [],
    );
  }

  /** A worker that drains gets its answer at once, and it is empty. */
  #hear(beat: Heartbeat): void {
    this.beats.push(beat);
    if (beat.worker?.state === WorkerState.DRAINING) this.grant([]);
  }

  #answer(): void {
    if (this.#ask === undefined) return;
    const grant = this.#grants.shift();
    if (grant === undefined) return;
    this.#ask.respond(grant);
    this.#ask = undefined;
  }
}

/** A lease of task `index` of the one job; what is set matters to the test. */
export function createLease(
  index: number,
  values: Partial<ImageSpec> &
    Partial<Pick<Lease, "fence" | "latents">> & { readonly stack?: LoraRef[] } = {},
): Lease {
  const { fence = 100n + BigInt(index), latents, stack, ...image } = values;
  return {
    fence,
    attempt: 1,
    latents,
    spec: {
      project: defaultProject,
      job,
      index,
      pool: defaultPool,
      image: {
        prompt: "a red house",
        width: 64,
        height: 64,
        steps: 4,
        seed: 7n,
        loras: [],
        ...image,
      },
      createTime: new Date(Date.now() - 1_000),
      ...(stack === undefined ? {} : { stack: { adapters: stack } }),
    },
  };
}
