/** What clients and operators of a model farm want, and whether a grant is one they allow. */
import assert from "node:assert/strict";
import {
  defaultPool,
  type JobControl,
  type TaskSpec,
  type WorkerId,
  WorkerState,
} from "@zfarm/contract";
import type { Grant, SchedulerEffect } from "../src/domain/scheduler-effect.ts";
import { buildControl, type ControlOptions, type CoreDriver } from "./drive-core.ts";

export type WishMove =
  | {
      readonly kind: "control";
      readonly project: number;
      readonly job: number;
      readonly wish: ControlOptions;
    }
  | {
      readonly kind: "project";
      readonly project: number;
      readonly weight: number;
      readonly guaranteeTasks: number;
      readonly burstTasks: number;
    }
  | { readonly kind: "pool"; readonly draining: boolean; readonly speculateAfter: number }
  | {
      readonly kind: "worker";
      readonly worker: number;
      readonly draining: boolean;
      readonly forgive: boolean;
    }
  | { readonly kind: "retire"; readonly worker: number; readonly isRetiring: boolean };

/** Tasks with a lease, counted by the model that asks. */
export interface Running {
  ofJob(project: string, job: string): number;
  ofProject(project: string): number;
}

export class FarmWishes {
  readonly #core: CoreDriver;
  readonly #controls = new Map<string, JobControl>();
  readonly #bursts = new Map<string, number>();
  readonly #draining = new Set<string>();
  readonly #retiring = new Set<WorkerId>();
  #isPoolDraining = false;

  constructor(core: CoreDriver) {
    this.#core = core;
  }

  wish(move: WishMove) {
    const core = this.#core;
    switch (move.kind) {
      case "control": {
        const project = `p${move.project}`;
        const job = `j${move.job}`;
        const control = { ...buildControl({ ...move.wish, job }), project };
        this.#controls.set(`${project}.${job}`, control);
        return core.step({ kind: "job-controlled", control });
      }
      case "project": {
        const { project, weight, guaranteeTasks, burstTasks } = move;
        this.#bursts.set(`p${project}`, burstTasks || Number.POSITIVE_INFINITY);
        return core.projectPolicy(`p${project}`, { weight, guaranteeTasks, burstTasks });
      }
      case "pool":
        this.#isPoolDraining = move.draining;
        return core.poolPolicy({ draining: move.draining, speculateAfter: move.speculateAfter });
      case "worker": {
        const worker = `w${move.worker}`;
        if (move.draining) this.#draining.add(worker);
        else this.#draining.delete(worker);
        const forgiveTime = move.forgive ? new Date(core.now) : undefined;
        return core.workerPolicy(worker, { draining: move.draining, forgiveTime });
      }
      case "retire":
        return this.#retire(`w${move.worker}` as WorkerId, move.isRetiring);
    }
  }

  /** Projects with a policy, which are remembered for good. */
  get policies(): number {
    return this.#bursts.size;
  }

  /** Nothing is held back any more. */
  lift(): SchedulerEffect[] {
    const core = this.#core;
    const controls = [...this.#controls.values()].map(({ project, job }) => ({
      ...buildControl({ job, approved: true }),
      project,
    }));
    const draining = [...this.#draining];
    const retiring = [...this.#retiring];
    this.#controls.clear();
    this.#draining.clear();
    this.#isPoolDraining = false;
    for (const project of this.#bursts.keys()) {
      this.#bursts.set(project, Number.POSITIVE_INFINITY);
    }
    return [
      ...controls.flatMap((control) => core.step({ kind: "job-controlled", control })),
      ...[...this.#bursts.keys()].flatMap((project) => core.projectPolicy(project, {})),
      ...draining.flatMap((worker) => core.workerPolicy(worker, {})),
      ...retiring.flatMap((worker) => this.#retire(worker, false)),
      ...core.poolPolicy({}),
    ];
  }

  checkGrant({ worker }: Grant): void {
    assert.ok(!this.#isPoolDraining, "no grant of a draining pool");
    assert.ok(!this.#draining.has(worker), "no grant to a draining worker");
    assert.ok(!this.#retiring.has(worker), "no grant to a worker that is taken away");
    const known = this.#core.scheduler.listWorkers("").find(({ name }) => name.endsWith(worker));
    assert.notEqual(known?.state, WorkerState.QUARANTINED, "no grant to a worker in quarantine");
  }

  /** A task begins to run; `running` counts it already. */
  checkStart({ project, job, index }: TaskSpec, running: Running): void {
    const control = this.#controls.get(`${project}.${job}`);
    assert.notEqual(control?.paused, true, "no grant of a paused job");
    const { sampleTasks = 0, maxConcurrency = 0 } = control?.scheduling ?? {};
    const isFree = sampleTasks === 0 || control?.approved === true || index < sampleTasks;
    assert.ok(isFree, "nothing but the sample before approval");
    const ofJob = running.ofJob(project, job);
    assert.ok(maxConcurrency === 0 || ofJob <= maxConcurrency, "a job keeps its bound");
    const burst = this.#bursts.get(project) ?? Number.POSITIVE_INFINITY;
    assert.ok(running.ofProject(project) <= burst, "a project keeps its burst");
  }

  #retire(worker: WorkerId, isRetiring: boolean): readonly SchedulerEffect[] {
    if (isRetiring) this.#retiring.add(worker);
    else this.#retiring.delete(worker);
    const [retire, recall] = isRetiring ? [[worker], []] : [[], [worker]];
    const pool = defaultPool;
    return this.#core.step({ kind: "workers-retired", pool, retire, recall, gone: [] });
  }
}
