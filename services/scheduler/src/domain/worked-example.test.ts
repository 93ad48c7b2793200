/** The example of docs/internals/scheduler.md: this makes its table, and the page must show it. */
import { readFileSync } from "node:fs";
import { type Lease, PriorityClass } from "@zfarm/contract";
import { expect, test } from "vitest";
import {
  adapter,
  buildTasks,
  CoreDriver,
  engineCrash,
  listed,
  only,
  shelfOf,
} from "../../testing/drive-core.ts";
import type { SchedulerEffect } from "./scheduler-effect.ts";

const page = new URL("../../../../docs/internals/scheduler.md", import.meta.url);
const picture = { width: 1_024, height: 1_024, steps: 8 };
const ink = adapter("ink", { sizeBytes: 200_000_000n });
const weights: Record<string, number> = { studio: 2, lab: 1 };
const shelves: Record<string, string[]> = { w1: ["ink"], w2: [] };

class Example {
  readonly core = CoreDriver.leading();
  readonly rows: string[] = [];
  readonly held = new Map<string, Lease>();
  readonly #had: Record<string, number> = { studio: 0, lab: 0 };
  readonly #predicted = new Map<string, number>();
  readonly #startedAt = this.core.now;

  /** Something happens; what is granted by it stands beside it. */
  note(what: string, effects: readonly SchedulerEffect[]): void {
    const grants = only(effects, "grant");
    for (const { worker, leases, predictedMs } of grants) {
      for (const [place, lease] of leases.entries()) {
        this.held.set(worker, lease);
        this.#charge(lease, predictedMs[place] ?? 0);
        this.#predicted.set(worker, predictedMs[place] ?? 0);
      }
    }
    const granted = grants.map(
      ({ worker, leases, reason }) => `${leases.map(nameOf).join(", ")} to ${worker}: ${reason}`,
    );
    const { studio = 0, lab = 0 } = this.#had;
    const seconds = ((this.core.now - this.#startedAt) / 1_000).toFixed(1);
    const shares = `${studio.toFixed(0)} | ${lab.toFixed(0)}`;
    this.rows.push(`| ${seconds} | ${what} | ${granted.join("; ") || "nothing"} | ${shares} |`);
  }

  ask(worker: string): void {
    const shelf = shelfOf(shelves[worker] ?? [], 2);
    this.note(`${worker} asks`, this.core.ask(worker, { shelf }));
  }

  finish(worker: string, deviceMs: number): void {
    const lease = this.#take(worker);
    this.#charge(lease, deviceMs - (this.#predicted.get(worker) ?? 0));
    const what = `${worker} finishes ${nameOf(lease)} in ${deviceMs} ms`;
    this.note(what, this.core.finish(worker, lease, deviceMs));
  }

  crash(worker: string): void {
    const lease = this.#take(worker);
    const what = `the engine of ${worker} dies under ${nameOf(lease)}`;
    this.note(what, this.core.report(worker, lease, engineCrash));
  }

  pass(ms: number): void {
    this.core.now += ms;
    for (const worker of Object.keys(shelves)) {
      const lease = this.held.get(worker);
      this.core.beat(worker, lease === undefined ? [] : [listed(lease, 1)]);
    }
  }

  /** As the core does: by the prediction at the grant, put right by what was measured. */
  #charge({ spec }: Lease, ms: number): void {
    const project = spec?.project ?? "";
    this.#had[project] = (this.#had[project] ?? 0) + ms / (weights[project] ?? 1);
  }

  #take(worker: string): Lease {
    const lease = this.held.get(worker);
    if (lease === undefined) throw new RangeError(`${worker} has nothing`);
    this.held.delete(worker);
    return lease;
  }
}

function nameOf({ spec }: Lease): string {
  return `${spec?.job}/${spec?.index}`;
}

function run(): Example {
  const example = new Example();
  const { core } = example;
  const { BATCH, INTERACTIVE } = PriorityClass;
  core.projectPolicy("studio", { weight: 2 });
  for (const worker of Object.keys(shelves)) core.beat(worker, []);
  const sweep = { project: "lab", job: "sweep", priorityClass: BATCH, ...picture };
  const portraits = { project: "studio", job: "portraits", adapters: [ink], ...picture };
  const preview = { project: "studio", job: "preview", priorityClass: INTERACTIVE, ...picture };
  core.store(...buildTasks(4, sweep), ...buildTasks(3, portraits), ...buildTasks(1, preview));

  example.ask("w2");
  example.ask("w1");
  example.pass(1_000);
  example.finish("w2", 1_000);
  example.ask("w2");
  example.pass(200);
  example.crash("w1");
  example.ask("w1");
  example.pass(800);
  example.finish("w2", 1_000);
  example.ask("w2");
  example.pass(1_000);
  example.finish("w1", 1_000);
  example.ask("w1");
  example.pass(1_000);
  example.finish("w2", 3_000);
  example.ask("w2");
  return example;
}

test("the worked example is what the page says", () => {
  const { rows, core } = run();

  const table = [
    "| s | what happens | what is granted, and why | studio | lab |",
    "|---|---|---|---|---|",
    ...rows,
  ];

  const shown = readFileSync(page, "utf8");
  expect(shown).toContain(table.join("\n"));
  const [explained] = core.explain("sweep", undefined, "lab");
  expect(shown).toContain(`> ${explained?.detail}`);
});
