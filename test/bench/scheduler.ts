/**
 * How fast the scheduler is, part by part: `npm run bench:scheduler [-- --part NAME]` prints one
 * JSON object as its last line. The parts run one after another and share nothing.
 */
import { parseArgs } from "node:util";
import { benchCore } from "./scheduler-core.ts";
import { benchPath } from "./scheduler-path.ts";
import { benchTakeover } from "./scheduler-takeover.ts";

const parts: Readonly<Record<string, () => Promise<object>>> = {
  core: benchCore,
  path: benchPath,
  takeover: benchTakeover,
};

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { part: { type: "string", multiple: true } } });
  const figures: Record<string, object> = {};
  for (const [name, bench] of Object.entries(parts)) {
    if (values.part !== undefined && !values.part.includes(name)) continue;
    process.stderr.write(`${name}:\n`);
    figures[name] = await bench();
  }
  process.stdout.write(`${JSON.stringify(figures)}\n`);
}

await main();
