/** When pictures are wanted and what they cost: seeded, so that all scalers meet the same hour. */
import type { WorkClass } from "../../../services/scheduler/src/domain/autoscale/pool-work.ts";
import { createRandom } from "../placement/workload.ts";

export interface TraceTask {
  /** Milliseconds from the beginning. */
  readonly arrivedAt: number;
  readonly costMs: number;
  readonly workClass: WorkClass;
  /** Place in its job: singles are 0. */
  readonly index: number;
}

export interface Trace {
  readonly tasks: readonly TraceTask[];
  readonly lengthMs: number;
  readonly meanCostMs: number;
}

interface BulkJob {
  readonly atMs: number;
  readonly tasks: number;
  readonly workClass: WorkClass;
}

interface TraceShape {
  /** Pictures a second, at a time in seconds. */
  readonly rate: (second: number) => number;
  readonly meanCostMs?: number;
  readonly jobs?: readonly BulkJob[];
}

const lengthMs = 3_600_000;
/** Spread of the logarithm of what one picture costs. */
const costSpread = 0.15;

const rising = (second: number): number => 2 + (10 * second) / 3_600;
const bursts = (second: number): number => (second % 900 < 120 ? 14 : 1);
const diurnal = (second: number): number => 7 - 6 * Math.cos((2 * Math.PI * second) / 3_600);

/** The ones that constants were chosen on. */
export const traces = {
  ramp: { rate: rising },
  bursts: { rate: bursts },
  diurnal: { rate: diurnal },
  bulk: {
    rate: () => 2,
    jobs: [
      { atMs: 600_000, tasks: 1_500, workClass: "interactive" },
      { atMs: 2_100_000, tasks: 800, workClass: "interactive" },
    ],
  },
  mixed: {
    rate: () => 3,
    jobs: [
      { atMs: 300_000, tasks: 4_000, workClass: "batch" },
      { atMs: 2_100_000, tasks: 2_000, workClass: "batch" },
    ],
  },
} as const satisfies Record<string, TraceShape>;

/** Never looked at while constants were chosen. */
export const heldOut = {
  sawtooth: { rate: (second) => 1 + (11 * (second % 1_200)) / 1_200 },
  steps: {
    rate: (second) => [3, 9, 5, 12, 2, 7, 4, 10, 1][Math.floor(second / 420) % 9] ?? 3,
  },
  heavy: { rate: (second) => diurnal(second) / 8, meanCostMs: 8_000 },
  sparse: { rate: (second) => (second % 720 < 20 ? 0.5 : 0) },
} as const satisfies Record<string, TraceShape>;

export type TraceName = keyof typeof traces | keyof typeof heldOut;

export function makeTrace(name: TraceName, seed: number): Trace {
  const shape: TraceShape = { ...traces, ...heldOut }[name];
  const random = createRandom(seed * 7_919 + name.length);
  const { meanCostMs = 1_000, jobs = [] } = shape;
  const tasks: TraceTask[] = [];
  const add = (arrivedAt: number, workClass: WorkClass, index: number): void => {
    tasks.push({ arrivedAt, costMs: drawCost(meanCostMs, random), workClass, index });
  };
  // Poisson by thinning: the highest rate of all traces is below 20.
  const highest = 20;
  for (let at = 0; ; ) {
    at += (-Math.log(1 - random()) / highest) * 1_000;
    if (at >= lengthMs) break;
    if (random() * highest < shape.rate(at / 1_000)) add(at, "interactive", 0);
  }
  for (const { atMs, tasks: count, workClass } of jobs) {
    for (let index = 0; index < count; index += 1) add(atMs, workClass, index);
  }
  tasks.sort((one, other) => one.arrivedAt - other.arrivedAt);
  return { tasks, lengthMs, meanCostMs };
}

/** Lognormal with the given mean. */
function drawCost(meanMs: number, random: () => number): number {
  const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return meanMs * Math.exp(costSpread * normal - costSpread ** 2 / 2);
}
