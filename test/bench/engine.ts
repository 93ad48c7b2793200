/**
 * What the engine costs at the released size, with made-up weights, part by part:
 *
 *     npm run bench:engine -- [--part NAME ...] [--threads N] [--layers N]
 *
 * prints one JSON object as its last line. Every part makes its files in the temporary folder and
 * removes them; the largest takes 13 GB of disk. Linux: memory is read from /proc.
 */
import { parseArgs } from "node:util";
import { benchExact } from "./engine/exact.ts";
import { benchFiles } from "./engine/files.ts";
import { benchLarge } from "./engine/large.ts";
import { benchLoraCost } from "./engine/lora-cost.ts";
import { benchOpen } from "./engine/open.ts";
import { benchPicture } from "./engine/picture.ts";
import { benchPlan } from "./engine/plan.ts";
import { benchReference } from "./engine/reference-step.ts";
import { benchStart } from "./engine/start.ts";

export interface EngineBench {
  readonly threads: number;
  /** Main layers where the reference runs beside us; fewer than 30 take less memory and time. */
  readonly layers: number;
}

type Part = (bench: EngineBench) => Promise<object>;

const parts: Readonly<Record<string, Part>> = {
  plan: benchPlan,
  start: benchStart,
  files: benchFiles,
  "lora-cost": benchLoraCost,
  open: benchOpen,
  int4: (bench) => benchPicture("int4", bench),
  int8: (bench) => benchPicture("int8", bench),
  large: benchLarge,
  exact: benchExact,
  reference: benchReference,
};

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      part: { type: "string", multiple: true },
      threads: { type: "string", default: "2" },
      layers: { type: "string", default: "30" },
    },
  });
  const chosen = values.part ?? Object.keys(parts);
  const figures: Record<string, object> = {};
  for (const name of chosen) {
    const bench = parts[name];
    if (bench === undefined) {
      process.stderr.write(`no part ${name}; there are ${Object.keys(parts).join(", ")}\n`);
      process.exit(2);
    }
    process.stderr.write(`${name}:\n`);
    const figure = await bench({
      threads: Number(values.threads),
      layers: Number(values.layers),
    });
    process.stderr.write(`  ${JSON.stringify(figure)}\n`);
    figures[name] = figure;
  }
  process.stdout.write(`${JSON.stringify(figures)}\n`);
}

await main();
