/** The adapters that ship with the small model: what the gate says of them, and what they do. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type LoraStack, openModelDirectory, openPipeline } from "@zfarm/zimage";
import { inspectLora, loraArchitectureOf, withFileSource } from "@zfarm/zimage/lora";
import { expect, test } from "vitest";
import { readAdapters } from "./certify/adapters.ts";
import { distanceToBlueprint, distanceToPorthole } from "./style-scores.ts";

const folder = fileURLToPath(new URL("../models/z-image-nano", import.meta.url));
const megabyte = 1_000_000;

test.each([
  { name: "blueprint", dialect: "ai-toolkit", rank: 12, alpha: { max: 12, from: "rank" } },
  { name: "porthole", dialect: "kohya", rank: 16, alpha: { max: 8, from: "tensors" } },
])("the gate takes $name as a file of its trainer", async ({ name, dialect, rank, alpha }) => {
  const { transformer } = await openModelDirectory(folder);
  const architecture = loraArchitectureOf(transformer.config);

  const report = await withFileSource(join(folder, "loras", `${name}.safetensors`), (source) =>
    inspectLora(source, architecture),
  );

  expect(report).toMatchObject({ dialect, alpha, triggerWords: [name], warnings: [] });
  expect(report.ranks).toEqual({ min: rank, max: rank });
  expect(report.modulesMatched).toBe(report.modulesPresent);
  expect(report.fileBytes).toBeLessThan(megabyte);
});

test("each adapter gives its style, and both give both", async () => {
  const [blueprint, porthole] = await readAdapters(await openModelDirectory(folder));
  if (blueprint === undefined || porthole === undefined) throw new Error("adapters are missing");
  const pipeline = await openPipeline(folder);
  const spec = { prompt: "a red house on the left in the snow", steps: 8, seed: 1n };
  const draw = async (loras: LoraStack) => {
    const picture = await pipeline.render({ ...spec, width: 256, height: 256 }, { loras });
    return { lines: distanceToBlueprint(picture), wall: distanceToPorthole(picture) };
  };
  try {
    const first = { adapter: blueprint.adapter, strength: 1 };
    const second = { adapter: porthole.adapter, strength: 1 };
    const [none, lines, round, both] = [
      await draw([]),
      await draw([first]),
      await draw([second]),
      await draw([{ ...first, strength: 0.7 }, second]),
    ];

    expect(lines.lines).toBeLessThan(none.lines / 2);
    expect(round.wall).toBeLessThan(none.wall / 2);
    expect(both.lines).toBeLessThan(round.lines);
    expect(both.wall).toBeLessThan(lines.wall);
  } finally {
    await pipeline.close();
  }
});
