import { expect, test } from "vitest";
import { ModelProto } from "../gen/onnx.ts";
import type { TensorIndex, TensorRef } from "../weights/tensor-index.ts";
import { ModelBuilder } from "./model-builder.ts";

const weight: TensorRef = {
  name: "w",
  dtype: "BF16",
  shape: [2, 3],
  file: "shards/one.safetensors",
  offset: 1235,
  length: 12,
};
const index: TensorIndex = { folder: "/models", tensors: new Map([["w", weight]]) };

test("points a weight at its bytes, under another shape where asked", () => {
  const builder = new ModelBuilder(index);
  builder.weight("w", [2, 3], [6, 1]);
  const [initializer] = ModelProto.decode(builder.toBytes("model")).graph?.initializer ?? [];

  expect(initializer?.dims).toEqual([6, 1]);
  expect(initializer?.externalData).toEqual([
    { key: "location", value: "shards/one.safetensors" },
    { key: "offset", value: "1235" },
    { key: "length", value: "12" },
  ]);
});

test("reads and widens a weight once, however often it is used", () => {
  const builder = new ModelBuilder(index);
  const uses = [builder.weight("w", [2, 3]), builder.weight("w", [2, 3])];
  const { graph } = ModelProto.decode(builder.toBytes("model"));

  expect(uses[0]).toBe(uses[1]);
  expect(graph?.initializer).toHaveLength(1);
  expect(graph?.node.map(({ opType }) => opType)).toEqual(["Cast"]);
});

test("refuses a weight that the checkpoint lacks or has in another shape, naming it", () => {
  const builder = new ModelBuilder(index);
  const missing = { code: "MODEL_INVALID", field: "v" };
  const misshapen = { code: "MODEL_INVALID", field: "w", file: weight.file };

  expect(() => builder.weight("v", [2, 3])).toThrow(expect.objectContaining(missing));
  expect(() => builder.weight("w", [3, 2])).toThrow(expect.objectContaining(misshapen));
});

test("an absent optional input is an empty name, as the format has it", () => {
  const builder = new ModelBuilder(index);
  const image = builder.input("image", "float", ["batch", 3]);
  builder.node("Resize", [image, undefined, builder.constant("float", [2], [1, 2])]);
  const [node] = ModelProto.decode(builder.toBytes("model")).graph?.node ?? [];

  expect(node?.input.slice(0, 2)).toEqual(["image", ""]);
});
