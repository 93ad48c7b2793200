// What the gate refuses and with which words; every refusal names the field, the value and the
// bound.
import { describe, expect, it } from "vitest";
import { encodeLoraFile, type FileTensor, spellings } from "../../test/lora-files.ts";
import { frameHeader } from "../../test/safetensors-writer.ts";
import { tinyAdapter, tinyTransformer } from "../../test/tiny-networks.ts";
import { releasedTransformer } from "../model/released-configs.ts";
import { memorySource } from "../weights/byte-source.ts";
import { loraArchitectureOf } from "./architecture.ts";
import { type LoraLimits, loraLimits } from "./limits.ts";
import type { LoraReport } from "./lora-report.ts";
import { inspectLora } from "./read-lora.ts";

const architecture = loraArchitectureOf(tinyTransformer);
const module = "diffusion_model.layers.0.attention.to_q";

async function inspect(tensors: readonly FileTensor[], metadata = {}): Promise<LoraReport> {
  const bytes = encodeLoraFile({ tensors, metadata });
  return await inspectLora(memorySource("adapter", bytes), architecture);
}

/** With so few ranks allowed that a product of more stays one. */
async function inspectBounded(
  tensors: readonly FileTensor[],
  bounds: Partial<LoraLimits> = {},
): Promise<LoraReport> {
  const bytes = encodeLoraFile({ tensors });
  const limits = { ...loraLimits, rankMax: 4, ...bounds };
  return await inspectLora(memorySource("adapter", bytes), architecture, limits);
}

function filled(name: string, shape: readonly number[], value = 0.5): FileTensor {
  const count = shape.reduce((product, side) => product * side, 1);
  return { name, shape, values: Array(count).fill(value) };
}

/** The pair of one module; the tiny model is 32 wide. */
function pair(name = module, { rank = 2, width = 32, value = 0.5 } = {}): FileTensor[] {
  return [
    filled(`${name}.lora_A.weight`, [rank, width], value),
    filled(`${name}.lora_B.weight`, [width, rank], value),
  ];
}

function replaced(tensors: readonly FileTensor[], at: number, value: number): FileTensor[] {
  return tensors.map((tensor) =>
    tensor.name.endsWith("lora_B.weight")
      ? {
          ...tensor,
          values: Array.from(tensor.values, (old, index) => (index === at ? value : old)),
        }
      : tensor,
  );
}

type Refusal = readonly [what: string, tensors: readonly FileTensor[], why: string | RegExp];

const refusals: readonly Refusal[] = [
  ["no tensors at all", [], "tensors are none"],
  [
    "a module that the model does not have",
    [...pair(), ...pair("diffusion_model.layers.2.attention.to_q")],
    /^2 tensors of 4 have no place in the model: diffusion_model.layers.2.attention.to_q.lora_A/,
  ],
  [
    "many unknown names, of which it repeats five",
    Array.from({ length: 9 }, (_, at) => filled(`layers.${at}.mystery.lora_A.weight`, [1, 1])),
    /mystery\.lora_A\.weight and 4 more$/,
  ],
  [
    "a bias",
    [...pair(), filled(`${module}.lora_B.bias`, [32])],
    "1 tensors of 3 have no place in the model",
  ],
  ["A without B", pair().slice(0, 1), "layers.0.attention.to_q has no lora_B (lora_up)"],
  ["B without A", pair().slice(1), "layers.0.attention.to_q has no lora_A (lora_down)"],
  [
    "an alpha with nothing to scale",
    [...pair(), filled("diffusion_model.layers.1.attention.to_k.alpha", [])],
    "layers.1.attention.to_k has no lora_A",
  ],
  [
    "the same module under two prefixes",
    [...pair(), ...pair("transformer.layers.0.attention.to_q")],
    `updates what ${module}.lora_A.weight updates already`,
  ],
  [
    "a fused module beside a part of itself",
    [
      ...pair(),
      filled("diffusion_model.layers.0.attention.qkv.lora_A.weight", [2, 32]),
      filled("diffusion_model.layers.0.attention.qkv.lora_B.weight", [96, 2]),
    ],
    "layers.0.attention.qkv is there beside layers.0.attention.to_q: ambiguous",
  ],
  [
    "LoRA and LoKr for one module",
    [...pair(), filled(`${module}.lokr_w1`, [4, 4]), filled(`${module}.lokr_w2`, [8, 8])],
    "has factors of LoRA and of LoKr",
  ],
  [
    "factors of different ranks",
    [filled(`${module}.lora_A.weight`, [2, 32]), filled(`${module}.lora_B.weight`, [32, 3])],
    `${module}.lora_B.weight has rank 3 where ${module}.lora_A.weight has 2`,
  ],
  [
    "a factor that is no matrix",
    [filled(`${module}.lora_A.weight`, [2, 32, 1, 1]), filled(`${module}.lora_B.weight`, [32, 2])],
    "lora_A.weight has the shape [2,32,1,1], must be a matrix",
  ],
  [
    "rank 0",
    [filled(`${module}.lora_A.weight`, [0, 32]), filled(`${module}.lora_B.weight`, [32, 0])],
    "lora_A.weight has the shape [0,32], must be a matrix",
  ],
  ["more ranks than the module is wide", pair(module, { rank: 33 }), "takes rank 33; at most 32"],
  ["an alpha of 0", [...pair(), filled(`${module}.alpha`, [], 0)], "alpha is 0, must be above 0"],
  [
    "an alpha beyond the bound",
    [...pair(), filled(`${module}.alpha`, [], 5000)],
    "alpha is 5000, must be above 0 and at most 4096",
  ],
  [
    "several alphas",
    [...pair(), filled(`${module}.alpha`, [2], 4)],
    "alpha has 2 elements, must be one number",
  ],
  ["NaN", replaced(pair(), 63, Number.NaN), `${module}.lora_B.weight holds NaN or infinity`],
  [
    "infinity",
    replaced(pair(), 0, Number.NEGATIVE_INFINITY),
    "lora_B.weight holds NaN or infinity",
  ],
  ["elements beyond float16", replaced(pair(), 5, -1e6), "holds 1000000; at most 65504 either way"],
  [
    "elements whose products are beyond any weight",
    pair(module, { rank: 4, value: 16 }),
    "layers.0.attention.to_q changes a weight by 1.02e+3; at most 1000",
  ],
  [
    "an alpha that makes them so",
    [...pair(module, { value: 0.75 }), filled(`${module}.alpha`, [], 4000)],
    "layers.0.attention.to_q changes a weight by 2.25e+3; at most 1000",
  ],
  ["zeros alone", pair(module, { value: 0 }), "has no effect: all 1 modules have only zeros"],
  [
    "a Kronecker product of another size",
    [filled(`${module}.lokr_w1`, [4, 4]), filled(`${module}.lokr_w2`, [4, 8])],
    "layers.0.attention.to_q.lokr multiplies to [16,32], the model has [32,32]",
  ],
  [
    "a Kronecker product without its second operand",
    [filled(`${module}.lokr_w1`, [4, 4]), filled(`${module}.lokr_w2_a`, [8, 2])],
    "layers.0.attention.to_q.lokr_w2 must be one matrix, or its two factors _a and _b",
  ],
];

const foreign: readonly (readonly [what: string, name: string, hint: string])[] = [
  ["DoRA", `${module}.dora_scale`, "the file is weight-decomposed (DoRA)"],
  ["DoRA of peft", `${module}.lora_magnitude_vector`, "the file is weight-decomposed (DoRA)"],
  ["LoHa", `${module}.hada_w1_a`, "the file holds Hadamard products (LoHa)"],
  ["a difference of weights", `${module}.diff`, "the file holds differences of whole weights"],
  [
    "layers that take no adapters",
    "lora_unet_all_final_layer_2_1_linear.lora_down.weight",
    "the file updates layers outside the blocks",
  ],
  [
    "SDXL",
    "lora_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_q.lora_down.weight",
    "looks made for Stable Diffusion or SDXL",
  ],
  [
    "FLUX",
    "transformer.single_transformer_blocks.0.attn.to_q.lora_A.weight",
    "looks made for FLUX",
  ],
  [
    "Qwen-Image",
    "transformer.transformer_blocks.0.attn.add_q_proj.lora_A.weight",
    "looks made for Qwen-Image",
  ],
  [
    "Wan",
    "diffusion_model.blocks.0.self_attn.q.lora_A.weight",
    "looks made for Wan or another video model",
  ],
  [
    "a text encoder",
    "text_encoder.model.layers.0.self_attn.q_proj.lora_A.weight",
    "the file updates a text encoder",
  ],
  [
    "a text encoder, kohya",
    "lora_te_layers_0_self_attn_q_proj.lora_down.weight",
    "the file updates a text encoder",
  ],
];

function refusal(why: string | RegExp): object {
  const message = (
    typeof why === "string" ? expect.stringContaining(why) : expect.stringMatching(why)
  ) as string;
  return expect.objectContaining({ name: "ModelError", code: "LORA_INVALID", message }) as object;
}

describe("the gate refuses", () => {
  it.each(refusals)("%s", async (_, tensors, why) => {
    await expect(inspect(tensors)).rejects.toEqual(refusal(why));
  });

  it.each(foreign)("%s, and says what it looks like", async (_, name, hint) => {
    await expect(inspect([...pair(), filled(name, [2, 2])])).rejects.toEqual(refusal(hint));
  });

  it("another model's width, with both widths", async () => {
    const lumina = pair(module, { width: 2304 });
    const why = "lora_A.weight has 2304 inputs, the model has 32; the file looks made for Lumina-2";

    await expect(inspect(lumina)).rejects.toEqual(refusal(why));
  });

  it("another model's layers, told by their width", async () => {
    const released = [0, 29].flatMap((layer) =>
      pair(`diffusion_model.layers.${layer}.attention.to_q`, { width: 3840 }),
    );

    await expect(inspect(released)).rejects.toEqual(
      refusal(/^2 tensors of 4 have no place .*looks made for the released Z-Image$/),
    );
  });

  it("ranks beyond the limit", async () => {
    await expect(inspectBounded(pair(module, { rank: 5 }))).rejects.toEqual(
      refusal("layers.0.attention.to_q takes rank 5; at most 4"),
    );
  });

  it.each([
    [
      "of which a row takes too much memory",
      [filled(`${module}.lokr_w1`, [2, 8]), filled(`${module}.lokr_w2`, [16, 4])],
      "layers.0.attention.to_q.lokr takes 128 numbers a row between its factors; at most 96",
    ],
    [
      "of three modules that cannot share its first factor",
      [
        filled("diffusion_model.layers.0.attention.qkv.lokr_w1", [8, 4]),
        filled("diffusion_model.layers.0.attention.qkv.lokr_w2", [12, 8]),
      ],
      "layers.0.attention.qkv.lokr has 8 rows in w1, which 3 modules cannot share",
    ],
    [
      "with an element beyond any weight, which may be anywhere",
      [
        { name: `${module}.lokr_w1`, shape: [4, 4], values: [...Array(15).fill(0), 60] },
        { name: `${module}.lokr_w2`, shape: [8, 8], values: [...Array(63).fill(0), -20] },
      ],
      "layers.0.attention.to_q changes a weight by 1.20e+3; at most 1000",
    ],
    [
      "whose operands take too long to multiply",
      [
        filled(`${module}.lokr_w1`, [4, 4]),
        filled(`${module}.lokr_w2_a`, [8, 5]),
        filled(`${module}.lokr_w2_b`, [5, 8]),
      ],
      "file takes 320 multiplications; at most 319",
    ],
  ])("Kronecker products %s", async (_, tensors, why) => {
    const bounds = { multiplicationsMax: 319 };
    await expect(inspectBounded(tensors, bounds)).rejects.toEqual(refusal(why));
  });

  it("files and adapters beyond the bounds on bytes, before reading them", async () => {
    const bytes = encodeLoraFile({ tensors: pair() });
    const source = { ...memorySource("a", bytes), size: loraLimits.fileBytesMax + 1 };
    const limits = { ...loraLimits, deviceBytesMax: 4000 };

    await expect(inspectLora(source, architecture)).rejects.toEqual(
      refusal("file has 2147483649 bytes; at most 2147483648"),
    );
    // 16 ranks of 32 + 32 columns in float32.
    await expect(inspectLora(memorySource("a", bytes), architecture, limits)).rejects.toEqual(
      refusal("file takes 4096 bytes on a device; at most 4000"),
    );
  });

  it.each([
    ["a zip archive", [0x50, 0x4b, 3, 4, 0, 0, 8, 8], "zip archive"],
    ["a pickle", [0x80, 2, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46], "pickle, which could run code"],
    ["a GGUF file", [0x47, 0x47, 0x55, 0x46, 3, 0, 0, 1], "GGUF"],
    ["an empty file", [], "is truncated: 0 bytes"],
  ])("%s", async (_, bytes, why) => {
    const source = memorySource("adapter", Uint8Array.from(bytes));

    await expect(inspectLora(source, architecture)).rejects.toEqual(refusal(why));
  });

  it("element types that are no float of 16 or 32 bits", async () => {
    const entry = { dtype: "F64", shape: [1], data_offsets: [0, 8] };
    const header = frameHeader(JSON.stringify({ [`${module}.alpha`]: entry }));
    const bytes = new Uint8Array(Buffer.concat([header, Buffer.alloc(8)]));

    await expect(inspectLora(memorySource("a", bytes), architecture)).rejects.toEqual(
      refusal(`bad entry for ${module}.alpha.dtype`),
    );
  });
});

describe("metadata of diffusers", () => {
  const inspectConfigured = (configuration: object | string): Promise<LoraReport> => {
    const text = typeof configuration === "string" ? configuration : JSON.stringify(configuration);
    return inspect(pair("transformer.layers.0.attention.to_q"), { lora_adapter_metadata: text });
  };

  it.each([
    ["another alpha for the module", { "transformer.alpha_pattern": { to_q: 3 } }, 3],
    ["an anchored name", { "transformer.alpha_pattern": { "^layers.0.attention.to_q": 5 } }, 5],
    ["an anchored name that is not all of it", { "transformer.alpha_pattern": { "^to_q": 3 } }, 8],
  ])("may give %s", async (_, pattern, alpha) => {
    const report = await inspectConfigured({ "transformer.lora_alpha": 8, ...pattern });

    expect(report.alpha).toEqual({ min: alpha, max: alpha, from: "metadata" });
  });

  it.each([
    ["text that is not JSON", "{", "lora_adapter_metadata is not JSON"],
    ["DoRA", { "transformer.use_dora": true }, "lora_adapter_metadata.use_dora is true"],
    ["a negative alpha", { "transformer.lora_alpha": -1 }, "lora_adapter_metadata.lora_alpha"],
    [
      "an expression, which is never run",
      { "transformer.alpha_pattern": { "(a+)+$": 3 } },
      "alpha_pattern has the key (a+)+$, must be a module's name",
    ],
  ])("is refused for %s", async (_, configuration, why) => {
    await expect(inspectConfigured(configuration)).rejects.toEqual(refusal(why));
  });
});

describe("the report", () => {
  it("tells what stays a Kronecker product, and what its factors take", async () => {
    const other = "diffusion_model.layers.1.feed_forward.w2";
    const report = await inspectBounded([
      ...pair(module, { rank: 2 }),
      filled(`${other}.lokr_w1`, [4, 5]),
      filled(`${other}.lokr_w2`, [8, 17]),
    ]);

    expect(report).toMatchObject({
      modulesMatched: 2,
      products: 1,
      ranks: { min: 2, max: 32 },
      ranksTaken: 16,
      deviceBytes: 4 * (16 * (32 + 32) + 4 * 5 + 8 * 17),
    });
  });

  it.each([
    ["near the root of the width", [60, 60, 64, 64], 64],
    ["of factor 8", [8, 8, 480, 480], 128],
  ])("accepts LoKr of full rank for the released model, %s", async (_, sizes, ranksTaken) => {
    const [a = 0, b = 0, c = 0, d = 0] = sizes;
    const tensors = [filled(`${module}.lokr_w1`, [a, b]), filled(`${module}.lokr_w2`, [c, d])];
    const file = memorySource("adapter", encodeLoraFile({ tensors }, "BF16"));
    const report = await inspectLora(file, loraArchitectureOf(releasedTransformer));

    expect(report).toMatchObject({
      dialect: "ai-toolkit-lokr",
      products: 1,
      ranks: { min: 3840, max: 3840 },
      ranksTaken,
      deviceBytes: 4 * (a * b + c * d),
    });
  });

  it("counts a Kronecker product with a factor of zeros as without effect", async () => {
    const report = await inspectBounded([
      ...pair("diffusion_model.layers.1.attention.to_k", { rank: 2 }),
      filled(`${module}.lokr_w1`, [4, 4]),
      filled(`${module}.lokr_w2`, [8, 8], 0),
    ]);

    expect(report).toMatchObject({ modulesMatched: 2, products: 0, deviceBytes: 4096 });
    expect(report.warnings[0]).toContain("have only zeros in a factor: layers.0.attention.to_q");
  });

  it("tells ranks, alpha and bytes of modules that differ", async () => {
    const other = "diffusion_model.layers.1.feed_forward.w2";
    const report = await inspect([
      ...pair(module, { rank: 2 }),
      filled(`${module}.alpha`, [], 6),
      filled(`${other}.lora_A.weight`, [20, 85]),
      filled(`${other}.lora_B.weight`, [32, 20]),
    ]);

    expect(report).toMatchObject({
      modulesMatched: 2,
      modulesPresent: 2,
      ranks: { min: 2, max: 20 },
      ranksTaken: 32,
      alpha: { min: 6, max: 20, from: "tensors" },
      deviceBytes: 4 * (16 * (32 + 32) + 32 * (85 + 32)),
      warnings: ["some modules state an alpha and some do not; those are scaled by 1"],
    });
  });

  it("says which fused modules were skipped for the split ones beside them", async () => {
    const adapter = tinyAdapter(
      "a",
      ["to_q", "to_k", "to_v"].map((part) => `layers.0.attention.${part}`),
    );
    const bytes = encodeLoraFile(spellings["both-layouts"].write(adapter));

    const report = await inspectLora(memorySource("a", bytes), architecture);

    expect(report).toMatchObject({
      modulesMatched: 3,
      modulesPresent: 6,
      warnings: ["1 modules come fused and split; the fused ones were skipped"],
    });
  });

  it("warns of modules without effect, which take no memory", async () => {
    const idle = pair("diffusion_model.layers.1.attention.to_v", { value: 0 });
    const report = await inspect([...pair(), ...idle]);

    expect(report).toMatchObject({ modulesMatched: 2, deviceBytes: 4096 });
    expect(report.warnings).toEqual([
      "1 modules have only zeros in a factor: layers.1.attention.to_v",
    ]);
  });

  it("warns that peft keeps alpha elsewhere", async () => {
    const report = await inspect(pair("base_model.model.layers.0.attention.to_q"));

    expect(report.warnings).toEqual([
      "peft keeps alpha in a file of its own; it was taken as the rank",
    ]);
  });

  it.each([
    [{ name: "zimage_turbo_training_adapter_v2" }, 1],
    [{ ss_output_name: "my training picture" }, 0],
  ])("trap 20: warns of adapters that are only for training, as %j", async (metadata, count) => {
    const { warnings } = await inspect(pair(), metadata);

    expect(warnings.filter((one) => one.includes("undoes the model's distillation"))).toHaveLength(
      count,
    );
  });

  it.each([
    ["kohya's tag counts", { ss_tag_frequency: '{"10_x":{"sks":40,"tree":3}}' }, ["sks"]],
    ["ai-toolkit's", { ss_tag_frequency: '{"1_p3r5on":{"p3r5on":1}}' }, ["p3r5on"]],
    [
      "the model specification's",
      { "modelspec.trigger_phrase": "in the style of zf, zf[31m" },
      ["in the style of zf", "zf [31m"],
    ],
    ["tags that are all as frequent", { ss_tag_frequency: tagsOf(20) }, []],
    ["notes that are not JSON", { ss_tag_frequency: "{" }, []],
    ["no notes", {}, []],
  ])("finds trigger words in %s", async (_, metadata, words) => {
    expect((await inspect(pair(), metadata)).triggerWords).toEqual(words);
  });
});

function tagsOf(count: number): string {
  const tags = Array.from({ length: count }, (_, at) => [`tag ${at}`, 1]);
  return JSON.stringify({ data: Object.fromEntries(tags) });
}
