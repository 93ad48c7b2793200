/** The product's own brain and hands, over the gym's cluster. */
import type { PoolId, WorkerId } from "@zfarm/contract";
import { limits } from "@zfarm/contract";
import { PoolHands } from "../../../services/scheduler/src/autoscale/pool-hands.ts";
import { Autoscaler } from "../../../services/scheduler/src/domain/autoscale/autoscaler.ts";
import type { FleetMember } from "../../../services/scheduler/src/domain/autoscale/fleet.ts";
import {
  defaultGoals,
  type PoolGoals,
} from "../../../services/scheduler/src/domain/autoscale/pool-goals.ts";
import {
  noSums,
  type PoolWork,
  type WorkerLoad,
} from "../../../services/scheduler/src/domain/autoscale/pool-work.ts";
import type { Pod } from "./cluster.ts";
import type { FarmSight, Scaler } from "./scaler.ts";

const pool = "default" as PoolId;
const victimCost = -1_000;

export class Brain implements Scaler {
  readonly everyMs = 5_000;
  readonly #goals: PoolGoals;
  readonly #brain = new Autoscaler({ tickMs: this.everyMs });
  readonly #hands = new PoolHands();
  readonly #arrived = noSums();
  #seen = 0;
  /** How often each rule set the number. */
  readonly reasons = new Map<string, number>();

  constructor(goals: Partial<PoolGoals>) {
    this.#goals = { ...defaultGoals, ...goals };
  }

  tick(sight: FarmSight): void {
    const { cluster, now } = sight;
    const work = this.#workOf(sight);
    const members = cluster.pods.map((pod) => memberOf(pod, now));
    const fleet = { pool, target: cluster.replicas, members };
    const [decision] = this.#brain.plan([{ goals: this.#goals, work, fleet }], now);
    if (decision === undefined) return;
    this.reasons.set(decision.reason, (this.reasons.get(decision.reason) ?? 0) + 1);
    const rank = (): WorkerId[] => rankOf(work.workers);
    this.#hands.forgetGone(fleet);
    const { retired, scaling } = this.#hands.order({ decision, fleet, work, rank, now });
    for (const pod of cluster.pods) {
      if (retired.retire.includes(pod.id)) pod.isRetiring = true;
      if (retired.recall.includes(pod.id)) pod.isRetiring = false;
      pod.deletionCost = scaling.victims.includes(pod.id) ? victimCost : 0;
    }
    cluster.replicas = scaling.desired;
    if (scaling.desired !== scaling.target) this.#hands.applied(scaling, now);
  }

  #workOf({ now, cluster, waiting, running, arrived, meanCostMs }: FarmSight): PoolWork {
    const sums = noSums();
    for (const { workClass } of waiting) {
      sums[workClass].tasks += 1;
      sums[workClass].ms += meanCostMs;
    }
    for (; this.#seen < arrived.length; this.#seen += 1) {
      const task = arrived[this.#seen];
      if (task === undefined || task.index >= limits.autoscaleBulkTasks) continue;
      this.#arrived[task.workClass].tasks += 1;
      this.#arrived[task.workClass].ms += meanCostMs;
    }
    const ready = cluster.pods.filter((pod) => cluster.isReady(pod, now));
    return {
      pool,
      waiting: sums,
      arrived: structuredClone(this.#arrived),
      running,
      workers: ready.map((pod) => loadOf(pod, now, meanCostMs)),
      wish: {},
    };
  }
}

/** The leader knows when a task began and what such tasks take. */
function loadOf(pod: Pod, now: number, meanCostMs: number): WorkerLoad {
  const { task, busyUntil, id, isRetiring } = pod;
  const beganAt = busyUntil - (task?.costMs ?? 0);
  const workLeftMs = task === undefined ? 0 : Math.max(1, beganAt + meanCostMs - now);
  return { worker: id, workLeftMs, condition: "serving", isRetiring };
}

function memberOf(pod: Pod, now: number): FleetMember {
  const { id: worker, createdAt, scheduledAt, readyAt, isOnNewNode } = pod;
  if (scheduledAt === undefined) return { worker, createdAt, phase: "unschedulable" };
  const isReady = readyAt <= now;
  const known = { worker, createdAt, isOnNewNode };
  return isReady ? { ...known, phase: "ready", readyAt } : { ...known, phase: "starting" };
}

function rankOf(workers: readonly WorkerLoad[]): WorkerId[] {
  const ranked = workers.toSorted(
    (one, other) =>
      Number(other.isRetiring) - Number(one.isRetiring) || one.workLeftMs - other.workLeftMs,
  );
  return ranked.map(({ worker }) => worker);
}
