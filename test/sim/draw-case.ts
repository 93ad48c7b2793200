/** Draws a case from a seed: first what kind of world it is, then what happens in it. */
import {
  type Fault,
  type FaultKind,
  faultKinds,
  type Policy,
  type SimCase,
  type SimOptions,
  type Submit,
  shapes,
  type TaskNature,
  type Verb,
  type WorkItem,
} from "./case.ts";
import { Stream } from "./random.ts";

/** How long faults of a kind last, and how many of them a run has at most. */
const faultShapes: Record<FaultKind, { readonly ms: readonly [number, number]; most: number }> = {
  "worker-crash": { ms: [200, 4_000], most: 6 },
  "worker-pause": { ms: [500, 25_000], most: 4 },
  "worker-slow": { ms: [2_000, 15_000], most: 3 },
  "worker-twin": { ms: [1_000, 15_000], most: 3 },
  "worker-drain": { ms: [500, 5_000], most: 4 },
  "worker-clock": { ms: [2_000, 20_000], most: 3 },
  "leader-crash": { ms: [200, 8_000], most: 4 },
  "leader-pause": { ms: [500, 12_000], most: 3 },
  "leader-resign": { ms: [0, 0], most: 3 },
  "leader-clock": { ms: [3_000, 15_000], most: 2 },
  "wall-jump": { ms: [0, 0], most: 3 },
  "lease-theft": { ms: [0, 0], most: 3 },
  "broker-stall": { ms: [200, 8_000], most: 3 },
  "broker-restart": { ms: [100, 4_000], most: 3 },
  "broker-refuse": { ms: [500, 5_000], most: 2 },
  "ack-loss": { ms: [500, 8_000], most: 3 },
  "lost-suffix": { ms: [0, 0], most: 2 },
  cut: { ms: [500, 15_000], most: 5 },
  messages: { ms: [1_000, 10_000], most: 3 },
  "store-down": { ms: [500, 15_000], most: 2 },
  "gateway-crash": { ms: [200, 3_000], most: 4 },
  "slow-outcomes": { ms: [2_000, 12_000], most: 3 },
};

const policyKinds = [
  "weight",
  "burst",
  "drain-pool",
  "drain-worker",
  "lock-worker",
  "quarantine-worker",
  "forgive",
  "speculate",
] as const;

const natures: readonly TaskNature[] = ["kills-worker", "kills-engine", "bad-numbers", "unusable"];

export interface DrawOptions {
  /** About how many events a run should have. */
  readonly events?: number;
  /** Kinds that never come; others only as drawn. */
  readonly without?: readonly FaultKind[];
  /** The broker loses its power for certain. */
  readonly powerLoss?: boolean;
}

export function drawCase(seed: number, draw: DrawOptions = {}): SimCase {
  // Every tenth world is a peaceful one in which shares are held to their bound.
  if (seed % 10 === 0) return drawFairnessCase(seed);
  const options = drawOptions(seed, draw);
  return {
    seed,
    options,
    workload: drawWorkload(seed, options),
    faults: drawFaults(seed, options),
  };
}

/** Projects with much to do, of which one comes later, when the others have long been served. */
function drawFairnessCase(seed: number): SimCase {
  const rand = new Stream(seed, "fairness");
  const projects = rand.between(2, 4);
  const options: SimOptions = {
    ...drawOptions(seed, {}),
    chaosMs: 60_000,
    workers: rand.between(4, 6),
    slots: rand.between(2, 4),
    pools: 1,
    projects,
    clients: projects,
    stepMs: 200,
    queueMax: 100_000,
    adapters: rand.chance(0.3) ? 6 : 0,
    isLowLoad: true,
    isFairnessRun: true,
    weights: [1, 2, 4, 1].slice(0, projects),
    durability: "stream",
    faults: [],
  };
  const workload: WorkItem[] = [];
  const frame = { options, sizeMax: 20, poison: 0, flaky: 0, endMs: 1 };
  const jobs = Math.ceil((options.workers * options.slots * 90_000) / (1_000 * 20));
  for (let project = 0; project < projects; project += 1) {
    const at = project === projects - 1 ? 30_000 : 0;
    for (let job = 0; job < jobs; job += 1) {
      const request = project * 1_000 + job + 1;
      const submit = drawSubmit(rand, { ...frame, request });
      const plain = { priorityClass: 0, expireMs: 0, deadlineMs: 0, maxConcurrency: 0 };
      const free = { maxFailed: 0, sample: 0, tasks: 20 };
      workload.push({ ...submit, ...plain, ...free, at, project, client: project });
    }
  }
  return {
    seed,
    options,
    workload: workload.toSorted((one, other) => one.at - other.at),
    faults: [],
  };
}

function drawOptions(
  seed: number,
  { events = 10_000, without = [], powerLoss }: DrawOptions,
): SimOptions {
  const rand = new Stream(seed, "options");
  const mood = rand.below(10);
  const rate = [0, 0.1, 0.1, 0.1, 0.2, 0.2, 0.3, 0.3, 0.5, 0.8][mood] ?? 0;
  const drawn = faultKinds.filter((kind) => {
    // A stream of its own: the worlds that the seeds gave before it came stay as they are.
    const from = kind === "slow-outcomes" ? new Stream(seed, kind) : rand;
    return from.chance(kind === "lost-suffix" ? 0.1 : rate);
  });
  if (powerLoss === true && !drawn.includes("lost-suffix")) drawn.push("lost-suffix");
  // Clocks that are wrong by hours in the very moment are more than epochs stand.
  const ruledOut = drawn.includes("lost-suffix") ? [...without, "wall-jump"] : without;
  const isLowLoad = rand.chance(0.5);
  return {
    warmMs: 3_000,
    chaosMs: Math.max(10_000, Math.round(events * (isLowLoad ? 3 : 1.5))),
    liveMs: 7_500_000,
    schedulers: rand.between(2, 3),
    gateways: 2,
    workers: rand.between(2, isLowLoad ? 8 : 10),
    slots: rand.between(1, 4),
    pools: rand.chance(0.7) ? 1 : 2,
    projects: rand.between(1, 4),
    clients: rand.between(1, 4),
    stepMs: rand.pick([20, 60, 200]),
    netMs: rand.pick([1, 4, 20]),
    queueMax: isLowLoad ? 100_000 : rand.between(20, 200),
    adapters: rand.chance(0.5) ? rand.between(2, 12) : 0,
    shelfMax: rand.between(2, 4),
    isLowLoad,
    isFairnessRun: false,
    weights: rand.chance(0.4) ? [1, 2, 4, 1] : [],
    durability: new Stream(seed, "durability").chance(0.6) ? "manifest" : "stream",
    faults: drawn.filter((kind) => !ruledOut.includes(kind)),
  };
}

function drawFaults(seed: number, options: SimOptions): Fault[] {
  const faults: Fault[] = [];
  for (const kind of options.faults) {
    const rand = new Stream(seed, `fault ${kind}`);
    const { ms, most } = faultShapes[kind];
    // The first fault must hit: it comes when the farm is surely at work.
    for (let count = rand.between(1, most); count > 0; count -= 1) {
      faults.push({
        at: options.warmMs + rand.below(Math.floor(options.chaosMs * 0.7)),
        kind,
        target: rand.below(1_000),
        forMs: rand.between(ms[0], ms[1]),
        level: rand.between(1, 99),
      });
    }
  }
  return faults.toSorted((one, other) => one.at - other.at);
}

function drawWorkload(seed: number, options: SimOptions): WorkItem[] {
  const rand = new Stream(seed, "workload");
  const { warmMs, chaosMs, workers, slots, stepMs, isLowLoad } = options;
  const endMs = warmMs + chaosMs;
  // Device time that comes per millisecond, against what the workers can do in it.
  const load = isLowLoad ? 0.4 : rand.pick([0.8, 1.5, 4]);
  const taskMs = stepMs * 5.3;
  const tasksWanted = (endMs * load * workers * slots) / taskMs;
  const sizeMax = rand.pick([1, 4, 20]);
  const poison = rand.chance(0.5) ? 0.2 : 0;
  const flaky = rand.chance(0.5) ? 0.3 : 0;
  const items: WorkItem[] = [];
  for (let tasks = 0, request = 1; tasks < tasksWanted && request < 400; request += 1) {
    const submit = drawSubmit(rand, { options, request, sizeMax, poison, flaky, endMs });
    tasks += submit.tasks;
    items.push(submit, ...drawLater(rand, submit, endMs));
  }
  for (let policy = rand.below(5); policy > 0; policy -= 1) items.push(drawPolicy(rand, endMs));
  return items.toSorted((one, other) => one.at - other.at);
}

interface SubmitFrame {
  readonly options: SimOptions;
  readonly request: number;
  readonly sizeMax: number;
  readonly poison: number;
  readonly flaky: number;
  readonly endMs: number;
}

function drawSubmit(rand: Stream, frame: SubmitFrame): Submit {
  const { options, request, sizeMax, poison, flaky, endMs } = frame;
  const kind = rand.chance(flaky) ? "flaky" : "good";
  const nature = rand.chance(poison) ? rand.pick(natures) : kind;
  const stackSize = options.adapters > 0 ? rand.below(3) : 0;
  const stack = Array.from({ length: stackSize }, () => zipf(rand, options.adapters));
  const isBounded = rand.chance(0.15);
  return {
    // Many come in bursts.
    at: rand.chance(0.3) ? Math.floor(rand.below(endMs) / 5_000) * 5_000 : rand.below(endMs),
    kind: "submit",
    client: rand.below(options.clients),
    project: rand.below(options.projects),
    request,
    body: 1,
    pool: rand.below(options.pools),
    tasks: nature === kind ? rand.between(1, sizeMax) : 1,
    shape: rand.below(shapes.length),
    nature,
    stack: [...new Set(stack)],
    priorityClass: rand.chance(0.3) ? rand.between(1, 3) : 0,
    priority: rand.between(1, 100),
    expireMs: rand.chance(0.1) ? rand.between(500, 20_000) : 0,
    deadlineMs: rand.chance(0.15) ? rand.between(500, 30_000) : 0,
    maxConcurrency: isBounded ? rand.between(1, 3) : 0,
    maxFailed: isBounded ? rand.below(3) : 0,
    sample: isBounded && rand.chance(0.3) ? 1 : 0,
  };
}

/** Adapters are used as words are: few often, most hardly ever. */
function zipf(rand: Stream, count: number): number {
  return Math.floor(count ** (rand.below(1_000) / 1_000)) - 1;
}

/** What follows a submit: repeats, another body under the same id, verbs. */
function drawLater(rand: Stream, submit: Submit, endMs: number): WorkItem[] {
  const items: WorkItem[] = [];
  const later = (): number =>
    Math.min(endMs, submit.at + rand.below(rand.pick([50, 2_000, 10_000])));
  if (rand.chance(0.1)) items.push({ ...submit, at: later(), client: submit.client + 1 });
  if (rand.chance(0.05)) items.push({ ...submit, at: later(), body: 2 });
  const verb = (kind: Verb["kind"]): Verb => ({
    at: later(),
    kind,
    client: rand.below(4),
    request: submit.request,
    value: rand.below(1_000),
  });
  if (rand.chance(0.12)) items.push(verb("cancel"));
  if (rand.chance(0.05)) items.push(verb("pause"), verb("resume"));
  if (submit.sample > 0) items.push(verb("approve"));
  if (rand.chance(0.08)) items.push(verb("update"));
  if (rand.chance(0.1)) items.push(verb("watch"));
  if (rand.chance(0.1)) items.push(verb("get"));
  return items;
}

function drawPolicy(rand: Stream, endMs: number): Policy {
  const kind = rand.pick(policyKinds);
  const isSwitch = kind.startsWith("drain") || kind === "lock-worker";
  const value = isSwitch ? rand.below(2) : rand.between(1, 4);
  return { at: rand.below(endMs), kind, target: rand.below(16), value };
}
