/**
 * How fast the simulation is, with every invariant on. `npm run bench:sim [-- --seeds N]` plays
 * drawn cases, the same ones each time, after a warm-up that is not counted, and prints one JSON
 * object as its last line. `eventsPerMinute` is by the processor time of this process, which is
 * what one core gives; `wallPerMinute` is by the clock on the wall.
 */
import { parseArgs } from "node:util";
import { drawCase } from "./draw-case.ts";
import { runCase } from "./run-case.ts";

const warmUpSeeds = 10;

function main(): void {
  const { values } = parseArgs({ options: { seeds: { type: "string", default: "100" } } });
  const seeds = Number(values.seeds);
  play(1, warmUpSeeds);
  const cpu = process.cpuUsage();
  const startedMs = performance.now();
  const events = play(1_000, seeds);
  const seconds = (performance.now() - startedMs) / 1_000;
  const { user, system } = process.cpuUsage(cpu);
  const cpuSeconds = (user + system) / 1e6;
  const summary = {
    seeds,
    events,
    seconds: round(seconds),
    cpuSeconds: round(cpuSeconds),
    eventsPerMinute: Math.round((events / cpuSeconds) * 60),
    wallPerMinute: Math.round((events / seconds) * 60),
    rssMiB: Math.round(process.memoryUsage.rss() / 2 ** 20),
  };
  process.stdout.write(`${JSON.stringify(summary)}\n`);
}

function play(from: number, seeds: number): number {
  let events = 0;
  for (let seed = from; seed < from + seeds; seed += 1) {
    const result = runCase(drawCase(seed));
    if (result.violation !== undefined) throw new Error(`seed ${seed}: ${result.violation.detail}`);
    events += result.events;
  }
  return events;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

main();
