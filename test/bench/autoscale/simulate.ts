/** Plays one trace against one scaler in virtual time, in steps of a tenth of a second. */
import { Cluster, type ClusterShape, type Pod } from "./cluster.ts";
import type { FarmSight, Scaler } from "./scaler.ts";
import type { Trace, TraceTask } from "./traces.ts";

export interface Run {
  readonly trace: Trace;
  readonly shape: ClusterShape;
  readonly seed: number;
  readonly scaler: Scaler;
  /** Workers at the beginning, ready. */
  readonly replicas: number;
}

export interface RunResult {
  /** Share of the tasks that started within the target of their class. */
  readonly withinTarget: number;
  readonly gpuMinutes: number;
  readonly starts: number;
  readonly scaleIns: number;
  /** Workers that were taken away. */
  readonly removed: number;
  readonly busyKills: number;
  readonly waitP95Ms: number;
}

const stepMs = 100;
const targetMs = { interactive: 30_000, standard: 120_000, batch: 900_000 } as const;

export function simulate({ trace, shape, seed, scaler, replicas }: Run): RunResult {
  const line = new Line();
  const cluster = new Cluster(shape, seed, (task) => line.putBack(task));
  const arrived: TraceTask[] = [];
  const waits = new Map<TraceTask, number>();
  cluster.replicas = replicas;
  cluster.reconcile(0, 0);
  for (const pod of cluster.pods) pod.readyAt = 0;
  cluster.starts = 0;
  let next = 0;
  let running = 0;
  for (let now = 0; now <= trace.lengthMs || line.size > 0 || running > 0; now += stepMs) {
    for (; (trace.tasks[next]?.arrivedAt ?? Number.POSITIVE_INFINITY) <= now; next += 1) {
      const task = trace.tasks[next];
      if (task === undefined) break;
      arrived.push(task);
      line.add(task);
    }
    running = serve(cluster, line, { now, waits });
    if (now % scaler.everyMs === 0) {
      const waiting = line.tasks();
      const { meanCostMs } = trace;
      const sight: FarmSight = { now, cluster, waiting, running, arrived, meanCostMs };
      scaler.tick(sight);
    }
    // What runs longer than the trace is not billed: no scaler shall gain by being late.
    cluster.reconcile(now, now <= trace.lengthMs ? stepMs : 0);
    if (now > 3 * trace.lengthMs) break;
  }
  return resultOf(trace, cluster, waits);
}

/** Ends what is done and starts what waits; gives how many tasks run. */
function serve(
  cluster: Cluster,
  line: Line,
  { now, waits }: { readonly now: number; readonly waits: Map<TraceTask, number> },
): number {
  let running = 0;
  for (const pod of cluster.pods) {
    if (pod.task !== undefined && pod.busyUntil <= now) pod.task = undefined;
    if (mayStart(cluster, pod, now)) {
      const task = line.take();
      if (task !== undefined) {
        pod.task = task;
        pod.busyUntil = now + task.costMs;
        // A task that is begun anew, because its worker was killed, has started only now.
        waits.set(task, now - task.arrivedAt);
      }
    }
    if (pod.task !== undefined) running += 1;
  }
  return running;
}

function mayStart(cluster: Cluster, pod: Pod, now: number): boolean {
  return pod.task === undefined && !pod.isRetiring && cluster.isReady(pod, now);
}

function resultOf(trace: Trace, cluster: Cluster, waits: ReadonlyMap<TraceTask, number>) {
  let within = 0;
  for (const task of trace.tasks) {
    const waited = waits.get(task) ?? Number.POSITIVE_INFINITY;
    if (waited <= targetMs[task.workClass]) within += 1;
  }
  const sorted = [...waits.values()].toSorted((one, other) => one - other);
  return {
    withinTarget: within / trace.tasks.length,
    gpuMinutes: cluster.podMs / 60_000,
    starts: cluster.starts,
    scaleIns: cluster.scaleIns,
    removed: cluster.removed,
    busyKills: cluster.busyKills,
    waitP95Ms: sorted[Math.floor(0.95 * sorted.length)] ?? 0,
  };
}

/** Tasks in the order in which every scaler's farm serves them: by class, then by age. */
class Line {
  readonly #queues = { interactive: new Queue(), standard: new Queue(), batch: new Queue() };

  get size(): number {
    const { interactive, standard, batch } = this.#queues;
    return interactive.size + standard.size + batch.size;
  }

  add(task: TraceTask): void {
    this.#queues[task.workClass].push(task);
  }

  putBack(task: TraceTask): void {
    this.#queues[task.workClass].pushFront(task);
  }

  take(): TraceTask | undefined {
    const { interactive, standard, batch } = this.#queues;
    return interactive.take() ?? standard.take() ?? batch.take();
  }

  tasks(): TraceTask[] {
    const { interactive, standard, batch } = this.#queues;
    return [...interactive.tasks(), ...standard.tasks(), ...batch.tasks()];
  }
}

class Queue {
  #tasks: TraceTask[] = [];
  #first = 0;

  get size(): number {
    return this.#tasks.length - this.#first;
  }

  push(task: TraceTask): void {
    this.#tasks.push(task);
  }

  pushFront(task: TraceTask): void {
    this.#tasks = [task, ...this.tasks()];
    this.#first = 0;
  }

  take(): TraceTask | undefined {
    const task = this.#tasks[this.#first];
    if (task !== undefined) this.#first += 1;
    return task;
  }

  tasks(): TraceTask[] {
    return this.#tasks.slice(this.#first);
  }
}
