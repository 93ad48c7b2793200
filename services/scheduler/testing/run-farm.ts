/** A farm in memory with real schedulers and scripted workers, on a clock that tests move. */
import { type Broker, createMemoryFarm } from "@zfarm/broker";
import {
  type Control,
  createJobId,
  defaultPool,
  defaultProject,
  type JobRef,
  type Lease,
  type LeasedTask,
  type Outcome,
  OutcomeKind,
  type QueuedTask,
  type SchedulerQuery,
  type SchedulerReply,
  type TaskFailure,
  taskIdOf,
  type WorkerId,
  WorkerState,
  type WorkGrant,
} from "@zfarm/contract";
import { type Clock, type RunningApp, silentLog, startApp } from "@zfarm/runtime";
import { readSchedulerConfig, wireScheduler } from "../src/index.ts";
import { buildTask, listed, outcomeOf, type TaskOptions } from "./drive-core.ts";
import { createFaultyBroker, type Faults } from "./faulty-broker.ts";

/** A clock that tests move, as `createManualClock` of @zfarm/testing gives one. */
interface MovableClock extends Clock {
  advance(ms: number): Promise<void>;
}

export class TestFarm {
  readonly clock: Clock;
  readonly broker: Broker;
  readonly job = createJobId();
  readonly #farm: ReturnType<typeof createMemoryFarm>;
  readonly #movable: MovableClock;
  #frozenMs = 0;
  readonly #schedulers: RunningApp[] = [];

  constructor(clock: MovableClock) {
    this.#movable = clock;
    this.clock = {
      now: () => clock.now() + this.#frozenMs,
      monotonic: () => clock.monotonic() + this.#frozenMs,
      sleep: (ms, stop) => clock.sleep(ms, stop),
    };
    this.#farm = createMemoryFarm({ clock: this.clock });
    this.broker = this.#farm.connect();
  }

  /** Starts a scheduler with its own connection and waits until it leads or stands by. */
  async startScheduler(
    name: string,
    faults: Faults = {},
  ): Promise<{ app: RunningApp; broker: Broker }> {
    return this.startSchedulerOn(createFaultyBroker(this.connect(), faults), name);
  }

  connect(): Broker {
    return this.#farm.connect();
  }

  async startSchedulerOn(
    broker: Broker,
    name: string,
  ): Promise<{ app: RunningApp; broker: Broker }> {
    const config = readSchedulerConfig({ SCHEDULER_ID: name });
    const app = startApp({
      name,
      log: silentLog,
      clock: this.clock,
      wire: (wiring) => wireScheduler(wiring, config, { broker }),
    });
    this.#schedulers.push(app);
    await app.ready;
    await this.pass(100);
    return { app, broker };
  }

  /** Time that passes for everyone else while this process stands still. */
  async freeze(ms: number): Promise<void> {
    this.#frozenMs += ms;
    await this.pass(0);
  }

  async pass(ms: number): Promise<void> {
    await this.#movable.advance(ms);
  }

  /** Stores tasks of the farm's job and lets the leader see them. */
  async submit(indices: readonly number[], options: TaskOptions = {}): Promise<QueuedTask[]> {
    const tasks = indices.map((index) => buildTask(index, { job: this.job, ...options }));
    for (const task of tasks) await this.broker.queue.add(task);
    await this.pass(0);
    return tasks;
  }

  get ref(): JobRef {
    return { project: defaultProject, job: this.job };
  }

  async query(query: SchedulerQuery["query"]): Promise<SchedulerReply> {
    const asked = this.broker.queries.ask({ query });
    await this.pass(0);
    return await asked;
  }

  worker(name: string): TestWorker {
    return new TestWorker(name, this);
  }

  async outcomes(): Promise<Outcome[]> {
    const stored = await this.broker.outcomes.list(this.ref);
    return stored.map(({ outcome }) => outcome);
  }

  async outcomeOf(index: number): Promise<Outcome | undefined> {
    return (await this.outcomes()).find(({ spec }) => spec?.index === index);
  }

  /** Whether QUEUE still has the task, and with how many attempts spent. */
  async stored(index: number): Promise<QueuedTask | undefined> {
    const id = taskIdOf({ project: defaultProject, job: this.job, index });
    return (await this.broker.queue.find(defaultPool, id))?.task;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#schedulers.map((app) => app.stop()));
    await this.broker.drain();
  }
}

export class TestWorker {
  readonly name: WorkerId;
  readonly commands: Control[] = [];
  readonly #farm: TestFarm;
  readonly #stop = new AbortController();
  /** The newest leader it has heard of. */
  #epochSeen = 0n;

  constructor(name: string, farm: TestFarm) {
    this.name = name as WorkerId;
    this.#farm = farm;
    farm.broker.link.onControl(this.name, (control) => {
      this.#epochSeen = control.epoch;
      this.commands.push(control);
    });
  }

  ask(slotsFree = 1, running: LeasedTask[] = []): Promise<WorkGrant> {
    const epochSeen = this.#epochSeen;
    const request = { worker: this.name, pool: defaultPool, epochSeen, slotsFree, running };
    return this.#farm.broker.link.ask(request, this.#stop.signal);
  }

  /** Asks as one that has obeyed a leader of that epoch, and is sent away. */
  async outgrow(epoch: bigint): Promise<void> {
    this.#epochSeen = epoch;
    await this.take();
  }

  /** Asks and lets the leader answer. */
  async take(slotsFree = 1): Promise<Lease[]> {
    const asked = this.ask(slotsFree);
    await this.#farm.pass(0);
    return (await asked).leases;
  }

  async takeOne(): Promise<Lease> {
    const [lease] = await this.take();
    if (lease === undefined) throw new RangeError(`nothing granted to ${this.name}`);
    return lease;
  }

  async beat(leases: readonly Lease[], step = 0): Promise<void> {
    this.#farm.broker.link.beat({
      worker: {
        name: `workers/${this.name}`,
        pool: defaultPool,
        state: WorkerState.READY,
        device: "cpu",
        model: "nano",
        modelDigest: "00",
        slots: 4,
        running: leases.length,
      },
      running: leases.map((lease) => listed(lease, step)),
    });
    await this.#farm.pass(0);
  }

  async report(lease: Lease, failure?: TaskFailure): Promise<void> {
    await this.#farm.broker.link.report({ worker: this.name, task: listed(lease), failure });
    await this.#farm.pass(0);
  }

  async finish(lease: Lease): Promise<"won" | "lost"> {
    if (lease.spec === undefined) throw new RangeError("a lease without spec");
    const outcome = outcomeOf(lease.spec, OutcomeKind.SUCCEEDED, lease.fence);
    const result = await this.#farm.broker.outcomes.publish(outcome);
    await this.#farm.pass(0);
    return result;
  }
}
