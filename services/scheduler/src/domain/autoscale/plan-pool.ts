/** Decides how many workers one pool should have: what its work needs, through all the rules. */
import { limits, type WorkerId } from "@zfarm/contract";
import { startKindOf } from "./cold-starts.ts";
import { Choice, type DecisionInputs, type PoolDecision } from "./decision.ts";
import { type Demand, demandOf } from "./demand.ts";
import type { FleetMember, PoolFleet } from "./fleet.ts";
import type { PoolGoals } from "./pool-goals.ts";
import type { PoolMemory } from "./pool-memory.ts";
import { type PoolWork, workClasses } from "./pool-work.ts";

export interface PoolSituation {
  readonly goals: PoolGoals;
  readonly work: PoolWork;
  readonly memory: PoolMemory;
  readonly tickMs: number;
  readonly now: number;
}

/** Less than this of a worker is no worker: a rate fades and never ends. */
const dust = 0.05;

/** The number of one pool, before pools share devices. */
export function planPool(situation: PoolSituation): PoolDecision {
  const { memory, work, now } = situation;
  const fleet = memory.fleet ?? { pool: work.pool, target: 0, members: [] };
  const facts = factsOf(situation, fleet);
  const demand = demandOf(facts);
  const choice = chooseByNeed(situation, demand);
  memory.arrivalsHold.note(Math.ceil(demand.forArrivals - dust), now);
  memory.backlogHold.note(choice.workers, now);
  keepUp(situation, choice, { fleet, coldStartMs: facts.coldStartMs });
  boundByGoals(situation, choice, facts.aside + workersIn(fleet, "crashing").length);
  guard(situation, choice, fleet);
  const { workers: desired, reason, bounds } = choice;
  const inputs = inputsOf(situation, facts, demand);
  return { pool: work.pool, desired, target: fleet.target, reason, bounds, inputs };
}

type Facts = ReturnType<typeof factsOf>;

/** What the rules look at, from the work, the workers and what is remembered. */
function factsOf({ goals, work, memory, now }: PoolSituation, fleet: PoolFleet) {
  const stopping = new Set(workersIn(fleet, "stopping"));
  const here = work.workers.filter(({ worker }) => !stopping.has(worker));
  const aside = here.filter(({ condition }) => condition === "aside").length;
  const serving = here.filter(({ condition }) => condition === "serving");
  const ready = serving.length;
  const coldStartMs = memory.coldStarts.expected();
  // One that serves already may still be starting in the eyes of those who look at it now and then.
  const heard = new Set(serving.map(({ worker }) => worker));
  const starting = fleet.members.filter(
    ({ phase, worker }) => phase === "starting" && !heard.has(worker),
  );
  const startingInMs = starting.map((member) => readyInMs(member, memory, now));
  memory.notePanic({ capacity: ready + starting.length, holdMs: goals.holdMs }, now);
  const arrivals = memory.arrivalsAhead(coldStartMs);
  const { taskMs } = memory;
  const inFlightMs = work.workers.reduce((sum, { workLeftMs }) => sum + workLeftMs, 0);
  return { goals, work, arrivals, taskMs, inFlightMs, ready, aside, startingInMs, coldStartMs };
}

function workersIn({ members }: PoolFleet, phase: FleetMember["phase"]): WorkerId[] {
  return members.filter((member) => member.phase === phase).map(({ worker }) => worker);
}

/** One that is late is given as long again: it should be ready any moment, and may never be. */
function readyInMs(member: FleetMember, memory: PoolMemory, now: number): number {
  const expectedMs = memory.coldStarts.expected(startKindOf(member));
  const ageMs = now - member.createdAt;
  return ageMs <= expectedMs ? expectedMs - ageMs : ageMs - expectedMs;
}

function chooseByNeed({ work }: PoolSituation, demand: Demand): Choice {
  const { forArrivals, forBacklog } = demand;
  const isByBacklog = forBacklog > forArrivals;
  const needed = Math.ceil(forArrivals + forBacklog - dust);
  const choice = new Choice(needed, isByBacklog ? "backlog" : "arrivals");
  const waits = workClasses.some((each) => work.waiting[each].tasks > 0);
  if (waits || work.running > 0) choice.atLeast(1, "in_use");
  return choice;
}

/** What was wanted lately counts, downs come in steps, and some stay while the pool is in use. */
function keepUp(
  { goals, memory, now }: PoolSituation,
  choice: Choice,
  { fleet, coldStartMs }: { fleet: PoolFleet; coldStartMs: number },
): void {
  const holdMs = Math.max(goals.holdMs, 2 * coldStartMs);
  // A rate may come back; a backlog that is done is done, and is held only as long as its workers
  // were counted on, and as starting them again would take.
  const held = memory.arrivalsHold.highest(now, holdMs);
  const worked = memory.backlogHold.highest(now, coldStartMs);
  choice.atLeast(Math.min(Math.max(held, worked), fleet.target), "hold");
  if (now - memory.workedAt < goals.idleToZeroMs) {
    choice.atLeast(1, "in_use");
    choice.atLeast(goals.warm, "warm_floor");
  } else if (choice.workers === 0) choice.reason = "idle";
  if (now < memory.panicUntil) choice.atLeast(fleet.target, "panic");
  const step = { stepMs: Math.min(limits.autoscaleStepMs, goals.holdMs), now };
  choice.atLeast(memory.step.floor(fleet.target, step), "step");
  if (choice.workers < fleet.target) memory.step.begin(step);
}

/** Workers that stand aside or never come up take up places: so many more are needed. */
function boundByGoals({ goals, work }: PoolSituation, choice: Choice, useless: number): void {
  const { workersMin: min = goals.min, workersMax: max = goals.max } = work.wish;
  choice.workers += useless;
  choice.atLeast(min, "min");
  choice.atMost(Math.max(0, max), "max");
}

/** What forbids going up, and then what forbids everything. */
function guard(
  { work, memory, tickMs, now }: PoolSituation,
  choice: Choice,
  { target }: PoolFleet,
): void {
  if (memory.stuck.isStuck(now)) choice.atMost(target, "unschedulable");
  if (memory.crashes.isFrozen(now)) choice.atMost(target, "crash_loop");
  if (work.wish.isPaused === true) settle(choice, target, "paused");
  const isStale = now - memory.fleetAt > limits.autoscaleStaleTicks * tickMs;
  if (isStale) settle(choice, target, "stale");
}

function settle(choice: Choice, workers: number, reason: "paused" | "stale"): void {
  choice.atLeast(workers, reason);
  choice.atMost(workers, reason);
  choice.reason = reason;
}

function inputsOf({ work, memory }: PoolSituation, facts: Facts, demand: Demand): DecisionInputs {
  const countOf = (phase: FleetMember["phase"]): number =>
    memory.fleet === undefined ? 0 : workersIn(memory.fleet, phase).length;
  const arrivals = memory.arrivalsAhead(0);
  const sums = { backlogMs: 0, waitingTasks: 0, arrivals: 0, arrivalsPredicted: 0 };
  for (const each of workClasses) {
    sums.backlogMs += work.waiting[each].ms;
    sums.waitingTasks += work.waiting[each].tasks;
    sums.arrivals += arrivals[each];
    sums.arrivalsPredicted += facts.arrivals[each];
  }
  return {
    backlogSeconds: sums.backlogMs / 1_000,
    inFlightSeconds: facts.inFlightMs / 1_000,
    waitingTasks: sums.waitingTasks,
    arrivals: sums.arrivals,
    arrivalsPredicted: sums.arrivalsPredicted,
    coldStartSeconds: facts.coldStartMs / 1_000,
    ready: facts.ready,
    starting: facts.startingInMs.length,
    aside: facts.aside,
    unschedulable: countOf("unschedulable"),
    crashing: countOf("crashing"),
    neededForArrivals: demand.forArrivals,
    neededForBacklog: demand.forBacklog,
  };
}
