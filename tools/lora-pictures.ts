/**
 * Draws the small model's adapters for the README and scores them: `node tools/lora-pictures.ts
 * [PICTURE]`. One row a prompt, without adapters, with each of them, and with both; the scores are
 * over more prompts. The last line of the output is JSON.
 */
import { readFile } from "node:fs/promises";
import { argv, stdout } from "node:process";
import { fileURLToPath } from "node:url";
import type { LoraAdapter, LoraStack, Pipeline, Pixels } from "@zfarm/zimage";
import { openModelDirectory, openPipeline } from "@zfarm/zimage";
import { readAdapters } from "./certify/adapters.ts";
import { composeSheet, writeSheet } from "./picture-sheet.ts";
import { distanceToBlueprint, distanceToPorthole } from "./style-scores.ts";

const root = fileURLToPath(new URL("../", import.meta.url));
const model = `${root}models/z-image-nano`;
const shown = [
  { prompt: "a green tree in the center in a meadow on a sunny day", seed: 3n },
  { prompt: "a yellow sailboat on the right on a lake at sunset with mountains", seed: 2n },
];

async function main(picture: string): Promise<void> {
  const adapters = await readAdapters(await openModelDirectory(model));
  const stacks = stacksOf(adapters.map(({ adapter }) => adapter));
  const pipeline = await openPipeline(model);
  try {
    const rows: Pixels[][] = [];
    for (const one of shown) rows.push(await drawAll(pipeline, one, [...stacks.values()]));
    await writeSheet(picture, composeSheet(rows));
    stdout.write(`${JSON.stringify(await score(pipeline, stacks), null, 2)}\n`);
  } finally {
    await pipeline.close();
  }
}

/** None, each, all, by the names of the columns. */
function stacksOf([blueprint, porthole]: readonly LoraAdapter[]): Map<string, LoraStack> {
  if (blueprint === undefined || porthole === undefined) throw new Error(`${model} has no loras`);
  const first = { adapter: blueprint, strength: 1 };
  const second = { adapter: porthole, strength: 1 };
  // At full strength a blueprint's lines cover the frame.
  const both = [{ ...first, strength: 0.7 }, second];
  return new Map(Object.entries({ none: [], blueprint: [first], porthole: [second], both }));
}

/** One picture a stack. */
async function drawAll(
  pipeline: Pipeline,
  what: { readonly prompt: string; readonly seed: bigint },
  stacks: readonly LoraStack[],
): Promise<Pixels[]> {
  const { widthDefault: width, heightDefault: height, stepsDefault: steps } = pipeline.info;
  const pictures: Pixels[] = [];
  for (const loras of stacks) {
    pictures.push(await pipeline.render({ ...what, width, height, steps }, { loras }));
  }
  return pictures;
}

/** Mean distances to both styles over the prompts of the model's contact sheet. */
async function score(
  pipeline: Pipeline,
  stacks: ReadonlyMap<string, LoraStack>,
): Promise<Record<string, object>> {
  const text = await readFile(`${root}tools/nano/prompts.txt`, "utf8");
  const prompts = text.split("\n").filter((prompt) => prompt !== "" && !prompt.startsWith("#"));
  const scores: Record<string, object> = {};
  for (const [name, loras] of stacks) {
    const pictures: Pixels[] = [];
    for (const [at, prompt] of prompts.entries()) {
      pictures.push(...(await drawAll(pipeline, { prompt, seed: BigInt(at + 1) }, [loras])));
    }
    const mean = (of: (picture: Pixels) => number): number =>
      Number((pictures.reduce((sum, one) => sum + of(one), 0) / pictures.length).toFixed(1));
    scores[name] = {
      toBlueprint: mean(distanceToBlueprint),
      toPorthole: mean(distanceToPorthole),
    };
  }
  return scores;
}

await main(argv[2] ?? `${root}docs/images/nano-loras.png`);
