/** Plays a case through its phases and says what became of it. */
import { auditEnd, scan } from "./audit.ts";
import type { SimCase } from "./case.ts";
import { Farm } from "./farm.ts";
import { Violation } from "./oracle.ts";
import { World } from "./world.ts";

export interface SimResult {
  readonly events: number;
  readonly virtualMs: number;
  /** Of everything that happened, in order. */
  readonly hash: number;
  /** The first broken invariant. */
  readonly violation: { readonly invariant: string; readonly detail: string } | undefined;
  /** Why the run proves nothing; undefined for a good one. */
  readonly voidBecause: string | undefined;
  readonly marks: ReadonlyMap<string, number>;
  readonly acked: number;
}

/** A full look at everything comes after so many events. */
const scanEvery = 1_000;

/** After the last task has ended: late writes land, ghosts show. */
const settleMs = 8_000;

export function runCase(simCase: SimCase, trace?: (line: string) => void): SimResult {
  const world = new World(simCase);
  world.oracle.trace = trace;
  const farm = new Farm(world);
  const violation = findViolation(world, farm);
  const { kernel, oracle } = world;
  for (const [kind, count] of farm.hits) oracle.marks.set(`fault/${kind}`, count);
  return {
    events: kernel.events,
    virtualMs: kernel.now,
    hash: kernel.hash,
    violation,
    voidBecause: violation === undefined ? findVoid(world, farm) : undefined,
    marks: oracle.marks,
    acked: oracle.acked,
  };
}

function findViolation(world: World, farm: Farm): SimResult["violation"] {
  try {
    play(world, farm);
    return undefined;
  } catch (error) {
    if (error instanceof Violation) return { invariant: error.invariant, detail: error.message };
    throw error;
  }
}

function play(world: World, farm: Farm): void {
  const { warmMs, chaosMs, liveMs } = world.case.options;
  farm.start();
  runUntil(world, warmMs + chaosMs);
  scan(world);
  farm.heal();
  const { kernel, broker, oracle } = world;
  const giveUpAt = kernel.now + liveMs;
  while (kernel.now < giveUpAt) {
    farm.liftHolds();
    runUntil(world, kernel.now + 1_000);
    const isKept = world.manifests === undefined || oracle.open.size === 0;
    if (broker.queue.size === 0 && oracle.submitting === 0 && isKept) break;
  }
  runUntil(world, kernel.now + settleMs);
  auditEnd(world, farm);
}

function runUntil(world: World, until: number): void {
  const { kernel } = world;
  while (kernel.step(until)) {
    if (kernel.events % scanEvery === 0) scan(world);
  }
}

/** A run in which nothing went wrong or nothing was done proves nothing. */
function findVoid(world: World, farm: Farm): string | undefined {
  const { oracle, case: simCase } = world;
  const { options, workload, faults } = simCase;
  for (const kind of options.faults) {
    if (faults.some((fault) => fault.kind === kind) && !farm.hits.has(kind)) {
      return `no ${kind} hit anything`;
    }
  }
  if (options.isFairnessRun) {
    const windows = farm.schedulers.reduce(
      (sum, { term }) => sum + (term?.ledger.fairWindows ?? 0),
      0,
    );
    if (windows === 0) return "no window was long enough to judge shares";
  }
  const wanted = new Set<number>();
  for (const item of workload) if (item.kind === "submit") wanted.add(item.request);
  if (options.isLowLoad && oracle.requests.size < wanted.size * 0.9) {
    return `${oracle.requests.size} of ${wanted.size} requests were admitted`;
  }
  return undefined;
}
