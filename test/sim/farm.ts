/** Builds the farm of a case and does to it what the case says. */
import type { Fault } from "./case.ts";
import { ClientModel } from "./client-model.ts";
import { GatewayModel } from "./gateway-model.ts";
import type { Proc } from "./kernel.ts";
import { Stream } from "./random.ts";
import { SchedulerModel } from "./scheduler-model.ts";
import { WorkerModel } from "./worker-model.ts";
import type { World } from "./world.ts";

export class Farm {
  readonly schedulers: SchedulerModel[];
  readonly gateways: GatewayModel[];
  readonly clients: ClientModel[];
  /** How often a fault of a kind has hit something that was there to be hit. */
  readonly hits = new Map<string, number>();
  readonly #world: World;
  /** What ends the faults that last. */
  readonly #cures = new Set<() => void>();
  #isHealed = false;
  #twins = 0;

  constructor(world: World) {
    const { options } = world.case;
    this.#world = world;
    this.schedulers = build(options.schedulers, (index) => new SchedulerModel(world, index));
    this.gateways = build(options.gateways, (index) => new GatewayModel(world, index));
    this.clients = build(options.clients, (index) => new ClientModel(world, this.gateways, index));
    for (let index = 0; index < options.workers; index += 1) {
      const pool = `pool${index % options.pools}`;
      world.workers.push(
        new WorkerModel(world, { id: `w${index}`, pool, process: `worker-${index}` }),
      );
    }
  }

  start(): void {
    const { kernel, case: simCase } = this.#world;
    for (const scheduler of this.schedulers) scheduler.start();
    for (const worker of this.#world.workers) worker.start();
    for (const [project, weight] of simCase.options.weights.entries()) {
      this.clients[0]?.do({ at: 0, kind: "weight", target: project, value: weight });
    }
    for (const item of simCase.workload) {
      const client = "client" in item ? item.client : 0;
      kernel.after(item.at, () => this.clients[client % this.clients.length]?.do(item));
    }
    for (const fault of simCase.faults) kernel.after(fault.at, () => this.#inject(fault));
  }

  /** The world is whole again: everybody is up and heard, nothing is held back. */
  heal(): void {
    const { kernel, workers } = this.#world;
    this.#isHealed = true;
    this.#world.storeDownUntil = 0;
    for (const cure of this.#cures) cure();
    for (const worker of workers) {
      if (!worker.proc.isUp) worker.start();
    }
    for (const scheduler of this.schedulers) {
      scheduler.proc.wallOffsetMs = 0;
      if (!scheduler.proc.isUp) scheduler.start();
    }
    for (const gateway of this.gateways) gateway.proc.isUp = true;
    kernel.note(workers.length);
  }

  /** What people hold back is let go: jobs that are paused or wait for approval, workers. */
  liftHolds(): void {
    const { broker, manifests } = this.#world;
    for (const { key, value } of Array.from(broker.controls.values())) {
      if (!value.paused && value.approved) continue;
      const lifted = { ...value, paused: false, approved: true };
      manifests?.keepControl(lifted);
      broker.controls.put(key, lifted);
    }
    for (const { key, value } of Array.from(broker.policies.values())) {
      if (value.kind === "pool-policy" && value.policy.draining) {
        broker.policies.put(key, { ...value, policy: { ...value.policy, draining: false } });
      }
      if (value.kind !== "worker-policy") continue;
      const { draining, lock, quarantine } = value.policy;
      if (!draining && lock === undefined && quarantine === undefined) continue;
      const policy = { ...value.policy, draining: false, lock: undefined, quarantine: undefined };
      broker.policies.put(key, { ...value, policy });
    }
  }

  #inject(fault: Fault): void {
    if (this.#isHealed) return;
    if (this.#hit(fault)) this.hits.set(fault.kind, (this.hits.get(fault.kind) ?? 0) + 1);
    // Nobody leads just now, or the worker is down already: soon there is something to hit.
    else this.#world.kernel.after(500, () => this.#inject(fault));
  }

  /** Gives whether there was something to hit. */
  #hit(fault: Fault): boolean {
    const { kernel, broker, workers } = this.#world;
    const { kind, target, forMs, level } = fault;
    const worker = workers[target % workers.length];
    const leader = this.schedulers.find(({ term }) => term !== undefined && !term.isEnded);
    switch (kind) {
      case "worker-crash":
        if (worker?.proc.isUp !== true) return false;
        if (worker.isBusy) this.#world.oracle.mark("busy-worker-crashed");
        worker.crash(forMs);
        return true;
      case "worker-pause":
        return this.#pause(worker?.proc, forMs);
      case "worker-slow":
        if (worker === undefined) return false;
        worker.slowness = 1 + level / 25;
        this.#cureAfter(forMs, () => {
          worker.slowness = 1;
        });
        return true;
      case "worker-twin":
        return worker !== undefined && this.#twin(worker, forMs);
      case "worker-drain":
        if (worker?.proc.isUp !== true || worker.isDraining) return false;
        worker.drainForGood();
        // As a pod that is replaced: it ends, and a fresh one of its name begins.
        kernel.after(forMs, () => worker.crash(200), worker.proc);
        return true;
      case "worker-clock":
        return this.#bendClock(worker?.proc, fault);
      case "leader-crash":
        leader?.crash(forMs);
        return leader !== undefined;
      case "leader-pause":
        return this.#pause(leader?.proc, forMs);
      case "leader-resign":
        leader?.resign();
        return leader !== undefined;
      case "leader-clock":
        return this.#bendClock(leader?.proc, fault);
      case "wall-jump": {
        const scheduler = this.schedulers[target % this.schedulers.length];
        if (scheduler === undefined) return false;
        scheduler.proc.wallOffsetMs += (level - 50) * 72_000;
        return true;
      }
      case "lease-theft":
        return broker.dropLease();
      case "broker-stall":
        broker.stall(forMs);
        return true;
      case "slow-outcomes":
        broker.outcomes.slow(forMs, 1 + (level % 4));
        return true;
      case "broker-restart":
        broker.restart(forMs);
        return true;
      case "lost-suffix":
        return this.#losePower(fault);
      case "broker-refuse":
      case "ack-loss":
      case "messages":
        return this.#badWeather(fault);
      case "store-down":
        this.#world.storeDownUntil = kernel.now + forMs;
        return true;
      case "cut":
        return this.#cut(fault);
      case "gateway-crash": {
        const gateway = this.gateways[target % this.gateways.length];
        if (gateway?.proc.isUp !== true) return false;
        gateway.crash(forMs);
        return true;
      }
    }
  }

  /** Who was told of something that is gone ends when it comes back; of others nobody knows. */
  #losePower({ target, level }: Fault): boolean {
    const { broker, oracle, workers } = this.#world;
    const rand = new Stream(target * 100 + level, "power");
    const loss = broker.losePower((most) => rand.below(most + 1));
    oracle.losePower(loss);
    const ahead = new Set(Object.values(loss).flatMap((each) => each.ahead));
    // Gateways and workers write, and so know of more than they follow.
    for (const gateway of this.gateways) if (gateway.proc.isUp) gateway.crash(300);
    for (const each of [...this.schedulers, ...workers]) {
      const isEnded = ahead.has(each.proc) || rand.chance(0.5);
      if (each.proc.isUp && isEnded) each.crash(300 + rand.below(700));
    }
    return true;
  }

  #pause(proc: Proc | undefined, forMs: number): boolean {
    if (proc?.isUp !== true) return false;
    this.#world.kernel.pause(proc, forMs);
    return true;
  }

  #bendClock(proc: Proc | undefined, { level, forMs }: Fault): boolean {
    if (proc === undefined) return false;
    const { kernel } = this.#world;
    proc.setRate(level < 50 ? 0.5 : 2, kernel.now);
    this.#cureAfter(forMs, () => proc.setRate(1, kernel.now));
    return true;
  }

  /** A second process under the name of the first, as after a rescheduled pod. */
  #twin(worker: WorkerModel, forMs: number): boolean {
    this.#twins += 1;
    const process = `${worker.proc.name}-twin-${this.#twins}`;
    const twin = new WorkerModel(this.#world, { id: worker.id, pool: worker.pool, process });
    this.#world.workers.push(twin);
    twin.start();
    this.#cureAfter(forMs, () => twin.leave());
    return true;
  }

  #badWeather({ kind, level, forMs }: Fault): boolean {
    const { weather } = this.#world.broker;
    const chance = level / 100;
    if (kind === "broker-refuse") weather.refuse = chance;
    else if (kind === "ack-loss") weather.ackLoss = chance;
    else Object.assign(weather, { drop: chance, duplicate: chance, lateMs: level * 10 });
    this.#cureAfter(forMs, () => {
      if (kind === "broker-refuse") weather.refuse = 0;
      else if (kind === "ack-loss") weather.ackLoss = 0;
      else Object.assign(weather, { drop: 0, duplicate: 0, lateMs: 0 });
    });
    return true;
  }

  /** A partition between one process and the broker, in one direction or in both. */
  #cut({ target, level, forMs }: Fault): boolean {
    const procs = [...this.#world.workers, ...this.schedulers, ...this.gateways];
    const proc = procs[target % procs.length]?.proc;
    if (proc === undefined) return false;
    proc.isCutOut = level % 3 !== 0;
    proc.isCutIn = level % 3 !== 1;
    this.#cureAfter(forMs, () => {
      proc.isCutOut = false;
      proc.isCutIn = false;
      proc.cuts += 1;
    });
    return true;
  }

  #cureAfter(forMs: number, cure: () => void): void {
    const once = (): void => {
      if (this.#cures.delete(once)) cure();
    };
    this.#cures.add(once);
    this.#world.kernel.after(forMs, once);
  }
}

function build<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(index));
}
