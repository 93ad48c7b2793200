/**
 * The acceptance runs: a farm under load while one kind of process, or all of them, is killed on a
 * schedule drawn from a seed. Judged by the history; void unless enough faults hit work in hand.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { limits } from "@zfarm/contract";
import { type ChaosFarm, type FarmOptions, startChaosFarm } from "./farm/chaos-farm.ts";
import { comeToRest } from "./farm/come-to-rest.ts";
import { observeOutcomes } from "./farm/observe-outcomes.ts";
import { scanFarm } from "./farm/scan-farm.ts";
import { checkHistory } from "./history/check-history.ts";
import type { FarmEvent, FarmScan } from "./history/history.ts";
import { type LoadReport, runLoad } from "./history/load.ts";
import { measureGaps, measureRecovery, percentile, type Recovery } from "./history/recovery.ts";
import { keepEvidence } from "./keep-evidence.ts";
import { type FaultKind, type FaultRate, planFaults } from "./nemesis/plan-faults.ts";
import { runFaults } from "./nemesis/run-faults.ts";
import { createRandom } from "./random.ts";
import { atLeast, below, exactly, type Gate, type Verdict } from "./verdict.ts";

export interface AcceptanceRun {
  readonly name: string;
  readonly farm: FarmOptions;
  readonly faults: readonly FaultRate[];
  /** Tasks to ask for at most. */
  readonly tasks: number;
  /** Nothing new is asked for after this; absent: until all tasks were asked for. */
  readonly enoughMs?: number;
  /** The load must have ended by then. */
  readonly withinMs: number;
  /** The fault whose recovery is measured, and how many of it make it a run. */
  readonly measured: FaultKind;
  readonly faultsMin: number;
  readonly faultsInFlightMin: number;
  /** A task that was hit must be gone on with within this, at p99. */
  readonly recoveryMs: number;
  /** The whole farm may stand still this long after the measured fault. */
  readonly gapMs?: number;
}

/** Three crashes under one task end it; that many kills of one task are the schedule's doing. */
const crashReasons: readonly string[] = ["WORKER_LOST", "ENGINE_CRASHED", "POISONED"];
const violationsShown = 20;
const lanes = 24;

export async function runAcceptance(
  run: AcceptanceRun,
  { seed, out }: { readonly seed: string; readonly out: string },
): Promise<Verdict> {
  const farm = await startChaosFarm(run.farm);
  try {
    const verdict = await runOn(farm, run, seed);
    await keep(farm, verdict, out);
    return verdict;
  } finally {
    await farm.stop();
  }
}

async function runOn(farm: ChaosFarm, run: AcceptanceRun, seed: string): Promise<Verdict> {
  const random = createRandom(seed).fork(run.name);
  const client = farm.client();
  const stopObserving = await observeOutcomes(farm);
  const { history } = farm;
  const startedMs = history.now();
  const faultsOver = new AbortController();
  const plan = planFaults(run.faults, run.enoughMs ?? run.withinMs, random.fork("faults"));
  const faulting = runFaults(farm, plan, faultsOver.signal);
  const stop = AbortSignal.timeout(run.withinMs);
  const enough = run.enoughMs === undefined ? {} : { enough: AbortSignal.timeout(run.enoughMs) };
  const options = { client, history, random: random.fork("load"), lanes, tasks: run.tasks, stop };
  const load = await runLoad({ ...options, ...enough });
  const durationMs = history.now() - startedMs;
  faultsOver.abort();
  await faulting;
  await farm.heal();
  const restMs = await comeToRest(farm);
  await stopObserving();
  client.close();
  const scan = await scanFarm(farm);
  const judgement = checkHistory(history.entries, scan, { toleratedFailures: crashReasons });
  const { counts, violations } = judgement;
  const recovery = measureRecovery(history.events, run.measured);
  const gaps = measureGaps(history.events, run.measured, run.gapMs ?? run.recoveryMs);
  const faults = countFaults(history.events);
  const gates = [
    exactly("violations", violations.length, 0),
    exactly("tasks given up before their time", countGivenUp(scan, history.events), 0),
    exactly("tasks that nobody went on with", recovery.unrecovered.length, 0),
    ...judgeLoad(load, run, counts.tasksAcked),
    ...judgeFaults(recovery, gaps, run),
    ...run.faults.map(({ kind }) => atLeast(`${kind} happened`, faults[kind], 1)),
  ];
  return {
    name: run.name,
    seed,
    ok: gates.every(({ holds }) => holds),
    durationMs: Math.round(durationMs),
    gates,
    counts,
    violationsTotal: violations.length,
    violations: violations.slice(0, violationsShown),
    faults,
    errors: load.errors,
    measures: { ...describeTimes(recovery, gaps), restMs },
  };
}

/** Tasks that ended as crashed too often, and had been begun less often than that. */
function countGivenUp({ outcomes }: FarmScan, events: readonly FarmEvent[]): number {
  const failed = outcomes.filter(({ reason }) => crashReasons.includes(reason));
  return failed.filter(({ job, index }) => {
    const task = `default.${job}.${index}/`;
    const begins = events.filter((event) => {
      return event.kind === "begin" && event.attempt.startsWith(task);
    });
    return begins.length < limits.attemptsMax;
  }).length;
}

function judgeLoad(load: LoadReport, run: AcceptanceRun, acked: number): Gate[] {
  const wanted = run.enoughMs === undefined ? run.tasks : Math.round(run.enoughMs / 1_000);
  return [
    atLeast("tasks accepted", acked, wanted),
    exactly("clients that gave up", load.errors["STOPPED"] ?? 0, 0),
  ];
}

function judgeFaults(recovery: Recovery, gaps: readonly number[], run: AcceptanceRun): Gate[] {
  const { faults, faultsInFlight } = recovery;
  const gapP99 = percentile(gaps, 0.99);
  return [
    atLeast(`${run.measured} faults`, faults, run.faultsMin),
    atLeast(`${run.measured} faults that hit work in hand`, faultsInFlight, run.faultsInFlightMin),
    below("recovery p99, ms", percentile(recovery.recoveryMs, 0.99), run.recoveryMs),
    ...(run.gapMs === undefined ? [] : [below("dispatch gap p99, ms", gapP99, run.gapMs)]),
  ];
}

function describeTimes({ recoveryMs: times }: Recovery, gaps: readonly number[]) {
  const round = (ms: number | undefined) => (ms === undefined ? undefined : Math.round(ms));
  return {
    recoveries: times.length,
    recoveryP50Ms: round(percentile(times, 0.5)),
    recoveryP99Ms: round(percentile(times, 0.99)),
    recoveryMaxMs: round(times.at(-1)),
    gapP50Ms: round(percentile(gaps, 0.5)),
    gapP99Ms: round(percentile(gaps, 0.99)),
  };
}

function countFaults(events: readonly FarmEvent[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const event of events) {
    if (event.kind === "fault") counts[event.fault] = (counts[event.fault] ?? 0) + 1;
  }
  return counts;
}

/** The verdict, and beside a bad one everything that is needed to find out why. */
async function keep(farm: ChaosFarm, verdict: Verdict, out: string): Promise<void> {
  await mkdir(out, { recursive: true });
  await writeFile(join(out, `${verdict.name}.json`), `${JSON.stringify(verdict, null, 2)}\n`);
  if (!verdict.ok) await keepEvidence(farm, join(out, verdict.name));
}
