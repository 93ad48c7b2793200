import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { tinyTransformer } from "../../test/tiny-networks.ts";
import { buildCaptionGraph } from "../graph/caption-graph.ts";
import { buildTransformerGraph } from "../graph/transformer-graph.ts";
import { expectedTransformerTensors } from "../model/expected-tensors.ts";
import type { TensorRef } from "../weights/tensor-index.ts";
import { loraArchitectureOf, loraTargetsOf } from "./architecture.ts";

const released = { ...tinyTransformer, dim: 3840, layers: 30, refinerLayers: 2, heads: 30 };

test("the targets are the modules that the transformer's graphs have inputs for", () => {
  const refs = [...expectedTransformerTensors(tinyTransformer).required].map(
    ([name, shape], at): [string, TensorRef] => {
      const length = shape.reduce((product, side) => product * side, 4);
      return [name, { name, dtype: "F32", shape, file: "w", offset: 1024 * at, length }];
    },
  );
  const index = { folder: "/", tensors: new Map(refs) };
  const inputs = [buildTransformerGraph, buildCaptionGraph].flatMap(
    (build) => build(tinyTransformer, index).loraTargets,
  );

  const byName = (a: { name: string }, b: { name: string }): number => (a.name < b.name ? -1 : 1);
  expect(loraTargetsOf(loraArchitectureOf(tinyTransformer)).toSorted(byName)).toEqual(
    inputs.toSorted(byName),
  );
});

test("the released model has the widths and the count that its checkpoint has", () => {
  const architecture = loraArchitectureOf(released);
  const targets = loraTargetsOf(architecture);

  expect(architecture).toEqual({
    dim: 3840,
    layers: 30,
    refinerLayers: 2,
    ffnDim: 10240,
    modulationDim: 256,
  });
  expect(targets).toHaveLength(270);
  expect(targets.filter(({ name }) => name.startsWith("layers."))).toHaveLength(240);
});

test("an architecture survives being sent as JSON", () => {
  const architecture = loraArchitectureOf(released);

  expect(JSON.parse(JSON.stringify(architecture))).toEqual(architecture);
});

test("the door for adapters loads no native code", async () => {
  const program = `
    const door = await import("@zfarm/zimage/lora");
    const native = process.report.getReport().sharedObjects.filter((path) => /\\.node$/.test(path));
    console.log(JSON.stringify({ native, door: typeof door.inspectLora }));
  `;
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ["--input-type=module", "--eval", program],
    { cwd: fileURLToPath(new URL("../..", import.meta.url)) },
  );

  expect(JSON.parse(stdout)).toEqual({ native: [], door: "function" });
});
