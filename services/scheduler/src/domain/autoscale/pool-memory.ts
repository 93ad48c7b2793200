/**
 * What the brain remembers of one pool from tick to tick. A new leader begins without: starts are
 * measured again from the workers that are there, nothing goes down before the hold is over, and
 * the rate is learnt within half a minute.
 */
import { limits } from "@zfarm/contract";
import { ColdStarts } from "./cold-starts.ts";
import { CrashGuard } from "./crash-guard.ts";
import type { PoolFleet } from "./fleet.ts";
import { Forecast } from "./forecast.ts";
import { HoldWindow } from "./hold-window.ts";
import { byClass, type PoolWork, type WorkClass, type WorkSums, workClasses } from "./pool-work.ts";
import { StepDown } from "./step-down.ts";
import { StuckGuard } from "./stuck-guard.ts";
import { TaskSize } from "./task-size.ts";

/** What came since the last look, all classes together. */
interface Inflow {
  /** Device seconds a second. */
  rate: number;
  tasks: number;
}

export class PoolMemory {
  readonly coldStarts = new ColdStarts();
  readonly crashes = new CrashGuard();
  readonly stuck = new StuckGuard();
  readonly arrivalsHold = new HoldWindow();
  readonly backlogHold = new HoldWindow();
  readonly step = new StepDown();
  readonly #forecasts = byClass(() => new Forecast());
  readonly #sizes = byClass(() => new TaskSize());
  #arrived: Readonly<Record<WorkClass, WorkSums>> | undefined = undefined;
  #learntAt: number | undefined = undefined;
  inflow: Inflow = { rate: 0, tasks: 0 };
  /** The last sight of the workers and when it was. */
  fleet: PoolFleet | undefined = undefined;
  fleetAt = Number.NEGATIVE_INFINITY;
  /** When there was work last; workers that were there at the beginning had some, maybe. */
  workedAt = Number.NEGATIVE_INFINITY;
  panicUntil = Number.NEGATIVE_INFINITY;

  seeFleet(fleet: PoolFleet, now: number): void {
    // What an earlier leader wanted holds as long as if it had been wanted by this one.
    if (this.fleet === undefined) {
      this.arrivalsHold.note(fleet.target, now);
      if (fleet.target > 0) this.workedAt = now;
    }
    this.fleet = fleet;
    this.fleetAt = now;
    this.coldStarts.learn(fleet.members);
    this.crashes.learn(fleet.members, now);
    this.stuck.learn(fleet.members, now);
  }

  seeWork(work: PoolWork, now: number): void {
    const sinceMs = now - (this.#learntAt ?? now);
    const before = this.#arrived ?? work.arrived;
    this.#learntAt = now;
    this.#arrived = work.arrived;
    this.inflow = { rate: 0, tasks: 0 };
    let waiting = 0;
    for (const each of workClasses) {
      const { ms: msBefore, tasks: tasksBefore } = before[each];
      const { ms, tasks } = work.arrived[each];
      const came = { ms: ms - msBefore, tasks: tasks - tasksBefore };
      this.inflow.tasks += came.tasks;
      waiting += work.waiting[each].tasks;
      if (sinceMs <= 0) continue;
      this.#sizes[each].learn(came, sinceMs);
      this.#forecasts[each].learn(came.ms / sinceMs, sinceMs, this.#sizes[each].meanMs);
      this.inflow.rate += came.ms / sinceMs;
    }
    if (waiting > 0 || work.running > 0 || this.inflow.tasks > 0) this.workedAt = now;
  }

  /** GPU-seconds a second of each class, as expected after a time; 0 ms: as they come now. */
  arrivalsAhead(aheadMs: number): Record<WorkClass, number> {
    return byClass((each) => {
      const forecast = this.#forecasts[each];
      return aheadMs === 0 ? forecast.level : forecast.ahead(aheadMs);
    });
  }

  /** What one task of each class costs of late, milliseconds. */
  get taskMs(): Record<WorkClass, number> {
    return byClass((each) => this.#sizes[each].meanMs);
  }

  /** Work that comes much faster than all workers can do is taken for the rate from now on. */
  notePanic(
    { capacity, holdMs }: { readonly capacity: number; readonly holdMs: number },
    now: number,
  ): void {
    const { autoscalePanicFactor, autoscalePanicTasks, autoscalePanicMs } = limits;
    const isMuch = this.inflow.tasks >= autoscalePanicTasks;
    if (!isMuch || this.inflow.rate < autoscalePanicFactor * Math.max(1, capacity)) return;
    this.panicUntil = now + Math.min(autoscalePanicMs, holdMs);
  }
}
