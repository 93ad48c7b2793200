/**
 * Looks for the seed that catches a mutant: `node test/sim/hunt.ts NAME`. The line is changed in
 * memory while Node loads the module, in a process of its own; no file is touched. Prints one JSON
 * object: the seed and the invariant, or null where the mutant survives.
 */
import { registerHooks } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { huntEvents, mutants } from "./mutants.ts";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const seedsMax = 200;

async function main(): Promise<void> {
  const mutant = mutants.find(({ name }) => name === process.argv[2]);
  if (mutant === undefined) throw new RangeError(`no mutant is called ${process.argv[2]}`);
  const target = pathToFileURL(join(root, mutant.file)).href;
  let isPlanted = false;
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context);
      if (url !== target) return loaded;
      const source = sourceText(loaded.source);
      const parts = source.split(mutant.find);
      if (parts.length !== 2) throw new RangeError(`${mutant.file}: ${parts.length - 1} matches`);
      isPlanted = true;
      return { ...loaded, source: parts.join(mutant.replace) };
    },
  });
  const { powerLoss = false } = mutant;
  const { drawCase } = await import("./draw-case.ts");
  const { runCase } = await import("./run-case.ts");
  if (!isPlanted) throw new RangeError(`${mutant.file} is not part of the simulation`);
  for (let seed = 1; seed <= seedsMax; seed += 1) {
    const { violation } = runCase(drawCase(seed, { events: huntEvents, powerLoss }));
    if (violation === undefined) continue;
    process.stdout.write(`${JSON.stringify({ seed, invariant: violation.invariant })}\n`);
    return;
  }
  process.stdout.write("null\n");
}

function sourceText(source: unknown): string {
  if (typeof source === "string") return source;
  if (source instanceof Uint8Array) return Buffer.from(source).toString();
  throw new RangeError("a module without a text");
}

await main();
