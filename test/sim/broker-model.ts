/**
 * The broker with everything that can be true of it at a bad time: requests that hang, acks that
 * are lost after the write, refusals, stalls, restarts, one-way partitions, messages that come
 * late, twice or never.
 */
import {
  type JobControl,
  type JobRecord,
  limits,
  type Outcome,
  type PoolPolicy,
  type ProjectPolicy,
  type WorkerPolicy,
} from "@zfarm/contract";
import { type Kernel, type Proc, type Routine, wait } from "./kernel.ts";
import { LogModel, type Loss } from "./log-model.ts";
import { type QueueMessage, QueueModel } from "./queue-model.ts";

export type PolicyRecord =
  | { readonly kind: "project-policy"; readonly policy: ProjectPolicy }
  | { readonly kind: "pool-policy"; readonly policy: PoolPolicy }
  | { readonly kind: "worker-policy"; readonly policy: WorkerPolicy };

/** Probabilities that faults raise for a while. */
export interface Weather {
  ackLoss: number;
  refuse: number;
  drop: number;
  duplicate: number;
  lateMs: number;
}

export interface PowerLoss {
  readonly queue: Loss<QueueMessage>;
  readonly outcomes: Loss<Outcome>;
  readonly jobs: Loss<JobRecord>;
  readonly controls: Loss<JobControl>;
  readonly policies: Loss<PolicyRecord>;
  readonly lease: Loss<string>;
}

interface RequestEnd<T> {
  /** Of the asker, when it asked. */
  readonly life: number;
  /** Whether the asker still waits. */
  isHeard: boolean;
  readonly done: (result: T | undefined) => void;
  /** How long the asker waits from now on. */
  readonly lateMs: () => number;
}

const leaseKey = "leader";

export class BrokerModel {
  readonly queue: QueueModel;
  readonly outcomes: LogModel<Outcome>;
  readonly jobs: LogModel<JobRecord>;
  readonly controls: LogModel<JobControl>;
  readonly policies: LogModel<PolicyRecord>;
  readonly lease: LogModel<string>;
  readonly weather: Weather = { ackLoss: 0, refuse: 0, drop: 0, duplicate: 0, lateMs: 0 };
  readonly #kernel: Kernel;
  readonly #netMs: number;
  /** Down or frozen until then. */
  #awayUntil = 0;
  #downUntil = 0;
  #restarts = 0;

  constructor(kernel: Kernel, { netMs, bundleMax }: { netMs: number; bundleMax: number }) {
    this.#kernel = kernel;
    this.#netMs = netMs;
    const delayTo = (proc: Proc) => this.#followDelay(proc);
    this.queue = new QueueModel(kernel, delayTo, bundleMax);
    this.outcomes = new LogModel<Outcome>(kernel, delayTo);
    this.jobs = new LogModel<JobRecord>(kernel, delayTo);
    this.controls = new LogModel<JobControl>(kernel, delayTo);
    this.policies = new LogModel<PolicyRecord>(kernel, delayTo);
    this.lease = new LogModel<string>(kernel, delayTo);
  }

  /** SIGSTOP: everything waits. */
  stall(forMs: number): void {
    this.#awayUntil = Math.max(this.#awayUntil, this.#kernel.now + forMs);
  }

  /** SIGKILL: what was on its way is gone, stored or not. */
  restart(downMs: number): void {
    this.stall(downMs);
    this.#downUntil = Math.max(this.#downUntil, this.#kernel.now + downMs);
    this.#restarts += 1;
  }

  get restarts(): number {
    return this.#restarts;
  }

  get #isDown(): boolean {
    return this.#downUntil > this.#kernel.now;
  }

  get isAway(): boolean {
    return this.#awayUntil > this.#kernel.now;
  }

  /** The lease of leadership, which the broker forgets when it is not rewritten in time. */
  putLease(holder: string, expected: bigint): bigint | "conflict" {
    const put = this.lease.put(leaseKey, holder, expected);
    if (put !== "conflict") this.#expireLease();
    return put;
  }

  /**
   * The lease of a new holder, as of whom time says that its epoch is this or a later one: after a
   * power loss the log alone would give out epochs again.
   */
  takeLease(holder: string, first: bigint): bigint | "conflict" {
    if (this.lease.get(leaseKey) !== undefined) return "conflict";
    this.lease.moveOn(first);
    return this.putLease(holder, 0n);
  }

  #expireLease(): void {
    const standing = this.lease.get(leaseKey);
    if (standing === undefined) return;
    this.#kernel.after(limits.leaderLeaseMs, () => {
      if (this.lease.at(standing.revision) === standing) this.lease.remove(standing.revision);
    });
  }

  /** The machine of the broker loses its power: each log its newest writes, on its own. */
  losePower(draw: (most: number) => number): PowerLoss {
    this.restart(200);
    const lost = {
      queue: this.queue.loseSuffix(draw(8)),
      outcomes: this.outcomes.loseSuffix(draw(8)),
      jobs: this.jobs.loseSuffix(draw(4)),
      controls: this.controls.loseSuffix(draw(3)),
      policies: this.policies.loseSuffix(draw(2)),
      lease: this.lease.loseSuffix(draw(8)),
    };
    // One that comes back was written long ago or not: nobody renews it in time.
    this.#expireLease();
    return lost;
  }

  /** 0 where nobody holds it. */
  get leaseRevision(): bigint {
    return this.lease.get(leaseKey)?.revision ?? 0n;
  }

  dropLease(): boolean {
    const standing = this.lease.get(leaseKey);
    if (standing !== undefined) this.lease.remove(standing.revision);
    return standing !== undefined;
  }

  /**
   * Asks the broker to do something; undefined is an outage, which leaves open whether it was
   * done. `apply` runs at the broker, whatever has become of the asker.
   */
  request<T>(from: Proc, apply: () => T, done: (result: T | undefined) => void): void {
    const { now } = this.#kernel;
    const { life } = from;
    const end: RequestEnd<T> = {
      life,
      isHeard: true,
      done: (result) => {
        if (from.life === life) done(result);
      },
      lateMs: () => now + limits.brokerRequestMs - this.#kernel.now,
    };
    if (from.isCutOut) return this.#giveUp(from, end);
    this.#kernel.after(this.#delay(from), () => this.#arrive(from, apply, end));
  }

  /** The same for coroutines. */
  call<T>(from: Proc, apply: () => T): Routine<T | undefined> {
    return wait((resume) => this.request(from, apply, resume));
  }

  /** A message that nobody keeps. */
  send(from: Proc, to: Proc, deliver: () => void): void {
    if (from.isCutOut || this.#isDown) return;
    const { weather } = this;
    if (from.rand.chance(weather.drop)) return;
    const copies = from.rand.chance(weather.duplicate) ? 2 : 1;
    for (let copy = 0; copy < copies; copy += 1) {
      const lateMs = weather.lateMs > 0 ? from.rand.below(weather.lateMs) : 0;
      const awayMs = Math.max(0, this.#awayUntil - this.#kernel.now);
      const delayMs = awayMs + this.#delay(from) + this.#delay(to) + lateMs;
      this.#kernel.after(delayMs, () => this.#hand(to, deliver), to);
    }
  }

  /** Whether the broker can tell the process at once that nobody listens. */
  answersTo(proc: Proc): boolean {
    return !(proc.isCutOut || proc.isCutIn || this.isAway);
  }

  #hand(to: Proc, deliver: () => void): void {
    if (!to.isCutIn && to.isUp) deliver();
  }

  #arrive<T>(from: Proc, apply: () => T, end: RequestEnd<T>): void {
    const awayMs = this.#awayUntil - this.#kernel.now;
    if (awayMs > 0) {
      // The client keeps what it could not send and dials again; frozen, it is simply late.
      if (awayMs > end.lateMs()) this.#giveUp(from, end);
      if (this.#isDown && (!end.isHeard || from.life !== end.life)) return;
      this.#kernel.after(awayMs + this.#delay(from), () => this.#arrive(from, apply, end));
      return;
    }
    if (from.rand.chance(this.weather.refuse)) return this.#answer(from, end, undefined);
    const result = apply();
    if (from.isCutIn || from.rand.chance(this.weather.ackLoss)) return this.#giveUp(from, end);
    this.#answer(from, end, result);
  }

  #answer<T>(from: Proc, end: RequestEnd<T>, result: T | undefined): void {
    if (!end.isHeard) return;
    const restarts = this.#restarts;
    const arrive = (): void => {
      if (this.#restarts === restarts) end.done(result);
      else this.#giveUp(from, end);
    };
    this.#kernel.after(this.#delay(from), arrive, from);
  }

  /** Nobody answers: the asker hears of that when its time is over, once. */
  #giveUp<T>(from: Proc, end: RequestEnd<T>): void {
    if (!end.isHeard) return;
    end.isHeard = false;
    this.#kernel.after(end.lateMs(), () => end.done(undefined), from);
  }

  #delay(proc: Proc): number {
    return 1 + proc.rand.below(this.#netMs);
  }

  #followDelay(proc: Proc): number | undefined {
    return proc.isCutIn || this.isAway ? undefined : this.#delay(proc) + 1;
  }
}
