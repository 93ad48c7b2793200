/**
 * What placement is worth: the product's own core against first come first served and against
 * adapters tied to workers by hash, on the same wishes in virtual time. 100 workers with room for
 * 8 adapters each; 500 adapters, wanted by Zipf's law.
 * `npm run bench:placement [-- --minutes N --seed N]` prints one JSON object as its last line.
 *
 * steady: as many wishes as the farm can serve with some room, from projects that are alike.
 * contended: every project has always a backlog; half of them want pictures that cost more.
 * one-adapter: the same, but one project wants one adapter alone.
 * overload: one project wants five times what the farm can do, seven want a twentieth each.
 *
 * coldRate: starts that had to wait for their adapter, of all starts. jain: Jain's index over the
 * device seconds of the projects, loading left out; jainOccupied: with it.
 */
import { parseArgs } from "node:util";
import { CorePolicy } from "./placement/core-policy.ts";
import { FirstComeFirstServed, StickyHashing } from "./placement/simple-policies.ts";
import { type Farm, type Policy, type SimulatedWorker, simulate } from "./placement/simulate.ts";
import { type Summary, summarize } from "./placement/summarize.ts";
import type { Shape, Source } from "./placement/workload.ts";

const farm: Farm = { workers: 100, shelfSize: 8, coldLoadMs: 1_000, tickMs: 50 };
const large: Shape = { width: 1_024, height: 1_024, steps: 8, renderMs: 2_000 };
const small: Shape = { width: 512, height: 512, steps: 8, renderMs: 800 };

/** Pictures a second that the farm draws when nothing needs loading. */
const capacity = (farm.workers * 1_000) / large.renderMs;
const waitingMax = 4_000;
const backlog = { kind: "backlog", tasks: 100 } as const;

const scenarios: Readonly<Record<string, readonly Source[]>> = {
  steady: projects(8, (place) => ({
    project: `p${place}`,
    shape: large,
    arrivals: { kind: "open", perSecond: (capacity * 0.8) / 8, waitingMax },
  })),
  contended: projects(8, (place) => ({
    project: `p${place}`,
    shape: place % 2 === 0 ? large : small,
    arrivals: backlog,
  })),
  "one-adapter": projects(8, (place) => ({
    project: `p${place}`,
    shape: large,
    arrivals: backlog,
    ...(place === 0 && { onlyRank: 0 }),
  })),
  overload: projects(8, (place) => ({
    project: place === 0 ? "noisy" : `quiet${place}`,
    shape: large,
    arrivals: {
      kind: "open",
      perSecond: capacity * (place === 0 ? 5 : 0.05),
      waitingMax,
    },
  })),
};

const policies: Readonly<Record<string, (workers: SimulatedWorker[]) => Policy>> = {
  zfarm: (workers) => new CorePolicy(workers, farm.shelfSize),
  fifo: () => new FirstComeFirstServed(),
  sticky: (workers) => new StickyHashing(workers),
  "sticky-bounded": (workers) => new StickyHashing(workers, 1.25),
};

function projects(count: number, describe: (place: number) => Source): readonly Source[] {
  return Array.from({ length: count }, (_, place) => describe(place));
}

function main(): void {
  const { values } = parseArgs({
    options: {
      minutes: { type: "string", default: "10" },
      seed: { type: "string", default: "1" },
      scenario: { type: "string", multiple: true, default: Object.keys(scenarios) },
      policy: { type: "string", multiple: true, default: Object.keys(policies) },
    },
  });
  const warmUpMs = 120_000;
  const untilMs = warmUpMs + Number(values.minutes) * 60_000;
  const results: Record<string, Record<string, Summary>> = {};
  for (const name of values.scenario) {
    const sources = scenarios[name];
    if (sources === undefined) throw new RangeError(`no scenario ${name}`);
    const run = { farm, sources, seed: Number(values.seed), warmUpMs, untilMs };
    const summaries: Record<string, Summary> = {};
    for (const [policy, create] of Object.entries(policies)) {
      if (!values.policy.includes(policy)) continue;
      const began = performance.now();
      summaries[policy] = summarize(run, simulate(run, create));
      const seconds = ((performance.now() - began) / 1_000).toFixed(1);
      const line = `${name} ${policy} (${seconds} s): ${JSON.stringify(summaries[policy])}`;
      process.stderr.write(`${line}\n`);
    }
    results[name] = summaries;
  }
  process.stdout.write(`${JSON.stringify({ farm, results, targets: judge(results) })}\n`);
}

/** What the product promises, and whether it held. */
function judge(results: Record<string, Record<string, Summary>>): Record<string, boolean> {
  const { steady, contended, overload } = results;
  const verdicts: Record<string, boolean> = {};
  if (steady?.["zfarm"]) verdicts["steadyColdRateMax0.2"] = steady["zfarm"].coldRate <= 0.2;
  if (contended?.["zfarm"]) {
    verdicts["contendedColdRateMax0.2"] = contended["zfarm"].coldRate <= 0.2;
    verdicts["contendedJainMin0.98"] = contended["zfarm"].jain >= 0.98;
  }
  const quiet = overload?.["zfarm"]?.waits["quiet"];
  if (quiet !== undefined) verdicts["quietP99Max1s"] = quiet.p99Ms <= 1_000;
  return verdicts;
}

main();
