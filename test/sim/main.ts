/**
 * Plays many seeds, or one case from a file. `npm run sim -- --seeds 1000 --from 1 --events 10000`
 * or `--case FILE [--trace TEXT]`, which shows the steps that mention the text. With `--power-loss`
 * the broker of every world loses its newest writes. The first violation is shrunk and written to
 * a file; the exit status tells.
 */
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import type { SimCase } from "./case.ts";
import { drawCase } from "./draw-case.ts";
import { mix } from "./random.ts";
import { runCase, type SimResult } from "./run-case.ts";
import { shrinkCase, writeCase } from "./shrink.ts";

function main(): void {
  const { values } = parseArgs({
    options: {
      seeds: { type: "string", default: "200" },
      from: { type: "string", default: "1" },
      events: { type: "string", default: "10000" },
      "power-loss": { type: "boolean", default: false },
      case: { type: "string" },
      trace: { type: "string" },
    },
  });
  if (values.case !== undefined) {
    const simCase = JSON.parse(readFileSync(values.case, "utf8")) as SimCase;
    const { trace } = values;
    const tracer = (line: string): void => (line.includes(trace ?? "") ? say(line) : undefined);
    const result = runCase(simCase, trace === undefined ? undefined : tracer);
    say(describe(simCase.seed, result));
    process.exitCode = result.violation === undefined ? 0 : 1;
    return;
  }
  const marks = new Map<string, number>();
  const startedMs = performance.now();
  let events = 0;
  let hash = 0;
  let voids = 0;
  const from = Number(values.from);
  for (let seed = from; seed < from + Number(values.seeds); seed += 1) {
    const powerLoss = values["power-loss"];
    const simCase = drawCase(seed, { events: Number(values.events), powerLoss });
    const result = runCase(simCase);
    events += result.events;
    hash = mix(hash ^ result.hash);
    for (const [mark, count] of result.marks) marks.set(mark, (marks.get(mark) ?? 0) + count);
    if (result.voidBecause !== undefined) {
      voids += 1;
      say(describe(seed, result));
    }
    if (result.violation === undefined) continue;
    say(describe(seed, result));
    const shrunk = shrinkCase(simCase, result.violation.invariant);
    say(`written to ${writeCase(shrunk, result.violation.invariant)}`);
    process.exitCode = 1;
    return;
  }
  const seconds = (performance.now() - startedMs) / 1_000;
  for (const [mark, count] of [...marks].toSorted(([one], [other]) => (one < other ? -1 : 1)))
    say(`${mark}: ${count}`);
  const summary = { seeds: Number(values.seeds), events, voids, hash, seconds: round(seconds) };
  process.stdout.write(`${JSON.stringify(summary)}\n`);
}

function describe(seed: number, result: SimResult): string {
  const { events, virtualMs, violation, voidBecause, acked } = result;
  const verdict = violation?.detail ?? voidBecause ?? "good";
  return `seed ${seed}: ${verdict} (${acked} tasks, ${events} events, ${virtualMs} ms)`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

main();
