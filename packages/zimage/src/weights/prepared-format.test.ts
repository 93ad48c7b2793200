import { describe, expect, it } from "vitest";
import { expectedTransformerTensors } from "../model/expected-tensors.ts";
import { releasedParameterCount, releasedTransformer } from "../model/released-configs.ts";
import type { PreparedMode } from "./prepared-format.ts";
import {
  blockLayout,
  isBlockwise,
  parsePreparedRecord,
  preparedTensors,
} from "./prepared-format.ts";

const shapes = [...expectedTransformerTensors(releasedTransformer).required];

describe("isBlockwise", () => {
  it("takes the seven Linears of each of the 34 blocks", () => {
    expect(shapes.filter(([name]) => isBlockwise(name))).toHaveLength(34 * 7);
  });

  it("leaves embedders, final layer, modulations and norms as they are", () => {
    const kept = shapes.filter(([name]) => !isBlockwise(name)).map(([name]) => name);

    for (const part of ["adaLN", "t_embedder", "cap_embedder", "all_x", "all_final", "norm_q"]) {
      expect(kept.some((name) => name.includes(part))).toBe(true);
    }
    // 98 % of the parameters become blocks.
    const count = (names: readonly (readonly [string, readonly number[]])[]): number =>
      names.reduce((sum, [, shape]) => sum + shape.reduce((a, b) => a * b, 1), 0);
    const blocks = shapes.filter(([name]) => isBlockwise(name));
    expect(count(shapes)).toBe(releasedParameterCount);
    expect(count(blocks) / count(shapes)).toBeCloseTo(0.977, 3);
  });

  it.each([
    ["layers.0.self_attn.q_proj.weight", true],
    ["layers.34.mlp.down_proj.weight", true],
    ["embed_tokens.weight", false],
    ["layers.0.self_attn.q_norm.weight", false],
  ])("knows the text encoder's %s", (name, expected) => {
    expect(isBlockwise(name)).toBe(expected);
  });
});

describe("preparedTensors", () => {
  const linear = {
    name: "layers.0.feed_forward.w2.weight",
    dtype: "F32",
    shape: [3840, 10_240],
  } as const;

  it.each([
    ["int4", 64],
    ["int8", 128],
  ] as const)("gives a Linear in %s its levels and scales", (mode, blockBytes) => {
    expect(preparedTensors(linear, mode)).toEqual([
      { name: `${linear.name}.q`, dtype: "U8", shape: [3840, 80, blockBytes] },
      { name: `${linear.name}.scale`, dtype: "F32", shape: [3840, 80] },
    ]);
  });

  it.each([
    ["layers.0.attention_norm1.weight", "int4", "F32"],
    ["layers.0.attention_norm1.weight", "bf16", "BF16"],
    ["layers.0.attention.to_q.weight", "bf16", "BF16"],
    ["embed_tokens.weight", "int8", "BF16"],
  ] as const)("makes of %s in %s one tensor of %s", (name, mode: PreparedMode, dtype) => {
    const source = { name, dtype: "F32", shape: [8, 8] } as const;

    expect(preparedTensors(source, mode)).toEqual([{ name, dtype, shape: [8, 8] }]);
  });
});

describe("blockLayout", () => {
  it("rounds the blocks of a row up", () => {
    expect(blockLayout([32, 85], 4)).toMatchObject({ blocks: 1, blockBytes: 64 });
    expect(blockLayout([32, 129], 8)).toMatchObject({ blocks: 2, blockBytes: 128 });
  });
});

describe("parsePreparedRecord", () => {
  const digest = "0".repeat(64);
  const record = {
    format: "zfarm-prepared",
    version: 1,
    weights: "int4",
    blockSize: 128,
    source: { name: "owner/name", digest },
    files: { "vae/diffusion_pytorch_model.safetensors": { bytes: 1, sha256: digest } },
  };

  it("gives back what was written", () => {
    expect(parsePreparedRecord(record, "zfarm.json")).toEqual(record);
  });

  it.each([
    ["version", { ...record, version: 2 }],
    ["weights", { ...record, weights: "int3" }],
    ["source.digest", { ...record, source: { name: "a", digest: "abc" } }],
  ])("refuses a record whose %s it does not know", (field, value) => {
    expect(() => parsePreparedRecord(value, "zfarm.json")).toThrow(
      expect.objectContaining({ code: "MODEL_INVALID", file: "zfarm.json", field }),
    );
  });
});
