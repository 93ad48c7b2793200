/** The figures of one simulated run. */
import type { Record as Recorded, Run, Started } from "./simulate.ts";

export interface Waits {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

export interface Summary {
  readonly pictures: number;
  readonly refused: number;
  readonly coldRate: number;
  /** Loads beside rendering, for each start. */
  readonly prewarmRate: number;
  /** Share of the farm's time: rendering alone, and with the workers that stood for a load. */
  readonly rendering: number;
  readonly occupied: number;
  readonly jain: number;
  readonly jainOccupied: number;
  /** The worst of all windows of half a minute. */
  readonly jainWorst: number;
  /** Until a worker takes it, by kind of project: its name without the number. */
  readonly waits: Readonly<Record<string, Waits>>;
  /** Until it renders: the wait and the load. */
  readonly delays: Readonly<Record<string, Waits>>;
}

const windowMs = 30_000;

export function summarize(run: Run, { started, prewarms, refused }: Recorded): Summary {
  const farmMs = run.farm.workers * (run.untilMs - run.warmUpMs);
  const renderMs = sum(started.map(({ task }) => task.renderMs));
  const loadMs = sum(started.map((each) => each.loadMs));
  const windows = Object.values(groupBy(started, ({ at }) => `${Math.floor(at / windowMs)}`)).slice(
    0,
    -1,
  );
  const byKind = groupBy(started, ({ task }) => task.source.project.replace(/\d+$/, ""));
  return {
    pictures: started.length,
    refused,
    coldRate: round(started.filter((each) => each.loadMs > 0).length / started.length),
    prewarmRate: round(prewarms / started.length),
    rendering: round(renderMs / farmMs),
    occupied: round((renderMs + loadMs) / farmMs),
    jain: jainOf(run, started, ({ task }) => task.renderMs),
    jainOccupied: jainOf(run, started, (each) => each.task.renderMs + each.loadMs),
    jainWorst: Math.min(...windows.map((each) => jainOf(run, each, ({ task }) => task.renderMs))),
    waits: Object.fromEntries(
      Object.entries(byKind).map(([kind, each]) => [
        kind,
        percentilesOf(each.map(({ waitedMs }) => waitedMs)),
      ]),
    ),
    delays: Object.fromEntries(
      Object.entries(byKind).map(([kind, each]) => [
        kind,
        percentilesOf(each.map(({ waitedMs, loadMs: ownMs }) => waitedMs + ownMs)),
      ]),
    ),
  };
}

/** 1: all projects had the same; 1 / projects: one had everything. */
function jainOf(run: Run, started: readonly Started[], costOf: (each: Started) => number): number {
  const costs = new Map(run.sources.map(({ project }) => [project, 0]));
  for (const each of started) {
    const { project } = each.task.source;
    costs.set(project, (costs.get(project) ?? 0) + costOf(each));
  }
  const values = [...costs.values()];
  const squares = sum(values.map((value) => value * value));
  return round(sum(values) ** 2 / (values.length * squares));
}

function percentilesOf(times: readonly number[]): Waits {
  const sorted = times.toSorted((one, other) => one - other);
  const at = (share: number) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
  return { p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) };
}

function groupBy(
  started: readonly Started[],
  nameOf: (each: Started) => string,
): Record<string, Started[]> {
  const groups: Record<string, Started[]> = {};
  for (const each of started) {
    const group = groups[nameOf(each)];
    if (group === undefined) groups[nameOf(each)] = [each];
    else group.push(each);
  }
  return groups;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function round(value: number): number {
  return Math.round(value * 10_000) / 10_000;
}
