/** The acceptance runs as data. */
import { limits } from "@zfarm/contract";
import type { AcceptanceRun } from "./acceptance.ts";
import type { FaultRate } from "./nemesis/plan-faults.ts";

const farm = { workers: 8, schedulers: 2, gateways: 2, natsRestartMs: 100 };
const killWorkers: FaultRate = { kind: "kill-worker", everyMs: 2_000, isRegular: true };
const killNats: FaultRate = { kind: "kill-nats", everyMs: 2_000, isRegular: true };
const killLeaders: FaultRate = { kind: "kill-leader", everyMs: 5_000, isRegular: true };
/** What a task may wait after its worker died: its lease, and three seconds. */
const recoveryMs = limits.leaseMs + 3_000;
/** Leadership is taken over when the lease ran out, by a standby that has heard the workers. */
const takeoverMs = 6_000;

export interface AcceptanceScale {
  /** 2,000 where the run is to count. */
  readonly tasks: number;
  /** Of the run with all faults at once. */
  readonly minutes: number;
}

export function acceptanceRuns({ tasks, minutes }: AcceptanceScale): AcceptanceRun[] {
  // Eight workers draw 275 ms on average: 2,000 tasks last 69 seconds at least.
  const seconds = (tasks * 0.275) / farm.workers;
  const withinMs = Math.round(60_000 + seconds * 10_000);
  const faultsIn = (everyMs: number): number => Math.floor((seconds * 1_000) / everyMs);
  const enoughMs = minutes * 60_000;
  return [
    {
      name: "workers",
      farm,
      faults: [killWorkers],
      tasks,
      withinMs,
      measured: "kill-worker",
      recoveryMs,
      faultsMin: Math.floor(faultsIn(killWorkers.everyMs) * 0.9),
      faultsInFlightMin: Math.floor(faultsIn(killWorkers.everyMs) * 0.6),
    },
    {
      name: "nats",
      farm,
      faults: [killNats],
      tasks,
      withinMs,
      measured: "kill-nats",
      recoveryMs,
      faultsMin: Math.floor(faultsIn(killNats.everyMs) * 0.9),
      faultsInFlightMin: Math.floor(faultsIn(killNats.everyMs) * 0.6),
    },
    {
      name: "leader",
      farm,
      faults: [killLeaders],
      tasks,
      withinMs,
      measured: "kill-leader",
      recoveryMs,
      gapMs: takeoverMs,
      // While a takeover lasts nothing is granted, so the run is longer than its tasks alone.
      faultsMin: Math.floor(faultsIn(killLeaders.everyMs) * 0.9),
      faultsInFlightMin: Math.floor(faultsIn(killLeaders.everyMs) * 0.6),
    },
    {
      name: "all",
      farm,
      faults: [
        { kind: "kill-worker", everyMs: 4_000 },
        { kind: "stop-worker", everyMs: 20_000, lastsMs: limits.leaseMs * 2 },
        { kind: "kill-nats", everyMs: 10_000 },
        { kind: "kill-leader", everyMs: 12_000 },
        { kind: "kill-gateway", everyMs: 8_000 },
      ],
      tasks: Number.MAX_SAFE_INTEGER,
      enoughMs,
      withinMs: enoughMs + 120_000,
      measured: "kill-worker",
      // The leader may die between the worker and its own noticing, and the next one takes over.
      recoveryMs: recoveryMs + takeoverMs,
      faultsMin: Math.floor(enoughMs / 8_000),
      faultsInFlightMin: Math.floor(enoughMs / 16_000),
    },
  ];
}

/** Everything at once on a small farm, for as long as a test may take. */
export const shortRun: AcceptanceRun = {
  name: "short",
  farm: { workers: 4, schedulers: 2, gateways: 2, natsRestartMs: 100 },
  faults: [
    { kind: "kill-worker", everyMs: 3_000 },
    { kind: "kill-nats", everyMs: 7_000 },
    { kind: "kill-leader", everyMs: 12_000 },
    { kind: "kill-gateway", everyMs: 6_000 },
  ],
  tasks: Number.MAX_SAFE_INTEGER,
  enoughMs: 30_000,
  withinMs: 120_000,
  measured: "kill-worker",
  // A guard, no promise: a machine that does other work says nothing of how fast a farm is.
  recoveryMs: 60_000,
  faultsMin: 5,
  faultsInFlightMin: 3,
};
