/** Looks at everything at once: now and then during a run, and most thoroughly at its end. */
import { OutcomeKind } from "@zfarm/contract";
import type { Farm } from "./farm.ts";
import type { Oracle } from "./oracle.ts";
import { entriesOf, type QueuedEntry } from "./queue-model.ts";
import type { World } from "./world.ts";

/** What must hold at any time: nothing that was accepted is lost, nothing points to nowhere. */
export function scan({ broker, objects, ...world }: World): void {
  const oracle: Oracle = world.oracle;
  const { queueMax } = oracle.options;
  if (broker.queue.size > queueMax) {
    oracle.violate("I13", `${broker.queue.size} messages are queued of at most ${queueMax}`);
  }
  for (const truth of oracle.open) {
    if (broker.queue.find(truth.key) === undefined && !truth.isDoubtful) {
      oracle.violate("I1", `${truth.key} was accepted and is in neither log`);
    }
  }
  for (const { key, value } of broker.outcomes.values()) {
    const truth = oracle.tasks.get(key);
    if (truth === undefined) oracle.violate("I7", `${key} ended and was never created`);
    if (truth.outcome !== value && !truth.isDoubtful) oracle.violate("I5", `${key} ended anew`);
    if (value.kind !== OutcomeKind.SUCCEEDED || truth.isDoubtful) continue;
    if (objects.get(value.image?.key ?? "") !== key) {
      oracle.violate("I7", `the picture of ${key} is gone`);
    }
  }
  for (const { key } of queuedTasks(broker)) {
    if (!oracle.tasks.has(key)) oracle.violate("I7", `${key} is queued and was never created`);
  }
}

function queuedTasks({ queue }: World["broker"]): QueuedEntry[] {
  return [...queue.values()].flatMap(entriesOf);
}

/** The farm has been whole for long enough: everything has ended, nothing is left behind. */
export function auditEnd(world: World, farm: Farm): void {
  const { broker, oracle } = world;
  oracle.endDoubts();
  scan(world);
  for (const truth of oracle.open) {
    if (!truth.isDoubtful) oracle.violate("I11", `${truth.key} was accepted and does not end`);
  }
  for (const { key } of queuedTasks(broker)) {
    const truth = oracle.tasks.get(key);
    if (truth?.isDoubtful === true) continue;
    const state = truth?.outcome === undefined ? "never ends" : "ended and is still queued";
    oracle.violate("I11", `${key} ${state}`);
  }
  checkRefusals(world);
  checkWatches(world);
  checkLeader(world, farm);
  checkTables(world, farm);
  checkHonesty(world);
  for (const worker of world.workers) {
    if (worker.isDraining && !worker.isLeaving && !oracle.hasLostPolicies) {
      world.oracle.violate("I11", `${worker.id} drains and nobody wants that any more`);
    }
  }
}

/** Refused means refused: a void job has no visible picture and is nobody's. */
function checkRefusals({ broker, oracle }: World): void {
  const accepted = new Set([...oracle.requests.values()].map(({ job }) => job));
  for (const { value: record } of broker.jobs.values()) {
    if (record.requestDigest !== "" || oracle.revived.has(record.job)) continue;
    if (accepted.has(record.job)) oracle.violate("I15", `${record.job} is accepted and void`);
  }
}

function checkWatches({ broker, oracle }: World): void {
  for (const watch of oracle.watches) {
    const prefix = `${watch.record.project}.${watch.record.job}.`;
    const ended = [...broker.outcomes.values()].filter(({ key }) => key.startsWith(prefix));
    for (const { key } of ended) {
      if (!watch.seen.has(key) && oracle.tasks.get(key)?.isDoubtful !== true) {
        oracle.violate("I16", `a watch was never told of ${key}`);
      }
    }
  }
}

/** One leads, and holds nothing. */
function checkLeader({ oracle, servers }: World, { schedulers }: Farm): void {
  const leading = schedulers.filter(({ term }) => term?.ledger.isRebuilt === true);
  if (leading.length !== 1) oracle.violate("I11", `${leading.length} schedulers lead`);
  if (servers.size !== 1) oracle.violate("I11", `${servers.size} leaders answer`);
  for (const { term } of leading) {
    for (const [key] of term?.ledger.live ?? []) {
      if (oracle.tasks.get(key)?.isDoubtful !== true) {
        oracle.violate("I14", `${key} is held in memory after its end`);
      }
    }
  }
}

/** What is not bounded by itself has emptied with the farm. */
function checkTables({ oracle, broker, case: { options } }: World, { schedulers }: Farm): void {
  if (options.faults.includes("lost-suffix")) return;
  const { workers, projects, pools } = options;
  const bounds = {
    tasks: 0,
    jobs: 0,
    shapes: 0,
    adapters: 0,
    lots_apart: 0,
    lines: projects * pools,
    projects,
    workers,
    controls: broker.controls.size,
    // Of each worker its silence and its request.
    timers: 2 * workers,
  };
  for (const { term } of schedulers) {
    const tables = term?.scheduler.countTables();
    for (const [name, bound] of Object.entries(bounds)) {
      const size = tables?.[name as keyof typeof bounds] ?? 0;
      if (size > bound) oracle.violate("I14", `${size} ${name} are left of at most ${bound}`);
    }
  }
}

/** A task that no fault and no bad neighbour has touched ends with a picture. */
function checkHonesty({ oracle, case: { faults, workload } }: World): void {
  const isPeaceful = workload.every((item) => item.kind !== "submit" || item.nature === "good");
  for (const truth of oracle.tasks.values()) {
    const { key, nature, outcome } = truth;
    if (outcome?.kind === OutcomeKind.SUCCEEDED && nature !== "good" && nature !== "flaky") {
      oracle.violate("I7", `${key} is ${nature} and has a picture`);
    }
    if (outcome?.kind === OutcomeKind.FAILED && isPeaceful && faults.length === 0) {
      oracle.violate("I8", `${key} failed in peace: ${outcome.failure?.reason}`);
    }
  }
}
