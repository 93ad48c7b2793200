import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { writeTinyModel } from "../../test/tiny-model.ts";
import { openPipeline } from "./open-pipeline.ts";
import type { ActiveRender, Pipeline } from "./pipeline.ts";
import type { RenderSpec } from "./render-spec.ts";

let folder: string;
let pipeline: Pipeline;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiny-model-"));
  await writeTinyModel(folder);
  pipeline = await openPipeline(folder, { threads: 1 });
});
afterAll(async () => {
  await pipeline.close();
  await rm(folder, { recursive: true });
});

const spec = (changes: Partial<RenderSpec> = {}): RenderSpec => ({
  prompt: "cat",
  width: 32,
  height: 32,
  steps: 2,
  seed: 1n,
  ...changes,
});

/** Different in everything that pictures of one batch may differ in. */
const mixed = [
  spec(),
  spec({ prompt: "a much longer prompt, of more than thirty-two tokens", seed: 2n, steps: 3 }),
  spec({ prompt: "", seed: 2n ** 40n + 3n, steps: 1 }),
];

async function start(one: RenderSpec): Promise<ActiveRender> {
  const [caption] = await pipeline.encodePrompts([one.prompt]);
  if (caption === undefined) throw new RangeError("no caption");
  return pipeline.start(one, caption);
}

describe("a render that was left between two steps", () => {
  it("ends with the same latents in another pipeline", async () => {
    const [whole, left] = [await start(spec()), await start(spec())];
    await pipeline.step([whole]);
    await pipeline.step([whole]);
    await pipeline.step([left]);

    const other = await openPipeline(folder, { threads: 1 });
    const [caption] = await other.encodePrompts([left.spec.prompt]);
    if (caption === undefined) throw new RangeError("no caption");
    const { latents, stepsDone: step } = left;
    const resumed = other.start(left.spec, caption, { left: { latents, step } });
    await other.step([resumed]);
    await other.close();

    expect(resumed.stepsDone).toBe(2);
    expect(resumed.latents).toEqual(whole.latents);
  });

  it.each([
    ["left.step", { step: 2, count: 0 }],
    ["left.step", { step: 0, count: 0 }],
    ["left.latents", { step: 1, count: 1 }],
  ])("is refused where %s cannot be (%o)", async (field, { step, count }) => {
    const { spec: one, caption, latents } = await start(spec());
    const bad = new Float32Array(latents.length + count);

    const refused = () => pipeline.start(one, caption, { left: { latents: bad, step } });

    expect(refused).toThrow(expect.objectContaining({ code: "INPUT_INVALID", field }));
  });
});

describe("render", () => {
  it("draws a picture of the size that was asked for", async () => {
    const pixels = await pipeline.render(spec({ width: 24, height: 16 }));

    expect(pixels).toMatchObject({ width: 24, height: 16 });
    expect(pixels.data.length).toBe(3 * 24 * 16);
    expect(new Set(pixels.data).size).toBeGreaterThan(50);
  });

  it("draws the same bytes again, and others for another seed or prompt", async () => {
    const first = await pipeline.render(spec());

    expect(await pipeline.render(spec())).toEqual(first);
    expect(await pipeline.render(spec({ seed: 2n }))).not.toEqual(first);
    expect(await pipeline.render(spec({ prompt: "dog" }))).not.toEqual(first);
  });

  it("reports every step", async () => {
    const steps: string[] = [];

    await pipeline.render(spec({ steps: 3 }), {
      onStep: (index, total) => steps.push(`${index}/${total}`),
    });

    expect(steps).toEqual(["1/3", "2/3", "3/3"]);
  });

  it("stops between two steps when it is canceled", async () => {
    const controller = new AbortController();
    const reason = new RangeError("canceled");
    let stepsDone = 0;

    const rendering = pipeline.render(spec({ steps: 8 }), {
      signal: controller.signal,
      onStep: (index) => {
        stepsDone = index;
        if (index === 2) controller.abort(reason);
      },
    });

    await expect(rendering).rejects.toBe(reason);
    expect(stepsDone).toBe(2);
  });

  it("lets the event loop turn between steps, so that a cancel can arrive", async () => {
    const controller = new AbortController();
    setImmediate(() => setImmediate(() => controller.abort(new RangeError("canceled"))));

    const rendering = pipeline.render(spec({ steps: 50 }), { signal: controller.signal });

    await expect(rendering).rejects.toThrow("canceled");
  });

  it("does not begin when it is canceled already", async () => {
    const signal = AbortSignal.abort(new RangeError("canceled"));

    await expect(pipeline.render(spec(), { signal })).rejects.toThrow("canceled");
  });
});

describe("a batch", () => {
  it("gives each picture the bytes it has alone", async () => {
    const alone = [];
    for (const one of mixed) alone.push(await pipeline.render(one));

    expect(await pipeline.renderBatch(mixed)).toEqual(alone);
  });

  it("keeps the order of pictures of different sizes", async () => {
    const specs = [
      spec({ width: 16 }),
      spec(),
      spec({ width: 16, seed: 5n }),
      spec({ height: 16 }),
    ];

    const pictures = await pipeline.renderBatch(specs);

    expect(pictures.map(({ width, height }) => [width, height])).toEqual([
      [16, 32],
      [32, 32],
      [16, 32],
      [32, 16],
    ]);
    expect(pictures[2]).toEqual(await pipeline.render(spec({ width: 16, seed: 5n })));
  });

  it("draws more pictures than fit one step", async () => {
    const specs = Array.from({ length: 9 }, (_, at) => spec({ seed: BigInt(at), steps: 1 }));

    const pictures = await pipeline.renderBatch(specs);

    expect(pictures.length).toBe(9);
    expect(pictures[8]).toEqual(await pipeline.render(spec({ seed: 8n, steps: 1 })));
  });

  it("lets a picture join while another is half done", async () => {
    const early = await start(spec({ steps: 4 }));
    const late = await start(spec({ seed: 9n, steps: 2 }));
    await pipeline.step([early]);
    await pipeline.step([early]);
    await pipeline.step([late, early]);
    await pipeline.step([early, late]);

    const pictures = await pipeline.decode([early, late]);

    expect(pictures).toEqual([
      await pipeline.render(spec({ steps: 4 })),
      await pipeline.render(spec({ seed: 9n, steps: 2 })),
    ]);
  });

  it("refuses pictures that cannot share a step", async () => {
    const done = await start(spec({ steps: 1 }));
    await pipeline.step([done]);

    await expect(pipeline.step([done])).rejects.toThrow("have a step left");
    await expect(
      pipeline.step([await start(spec()), await start(spec({ width: 16 }))]),
    ).rejects.toThrow("one latent size");
    await expect(pipeline.decode([await start(spec())])).rejects.toThrow("no step left");
  });
});

describe("encodePrompts", () => {
  it("trap 11: gives one row per token, template included, in order of prompts", async () => {
    const captions = await pipeline.encodePrompts(["cat", "a cat", "cat"]);

    expect(captions.map(({ prompt }) => prompt)).toEqual(["cat", "a cat", "cat"]);
    expect(captions.map(({ length }) => length)).toEqual(
      ["cat", "a cat", "cat"].map((prompt) => pipeline.countTokens(prompt)),
    );
    for (const { data, length } of captions) expect(data.length).toBe(32 * length);
  });

  it("encodes a prompt once", async () => {
    const [first] = await pipeline.encodePrompts(["once"]);
    const [second] = await pipeline.encodePrompts(["once"]);

    expect(second).toBe(first);
  });

  it("refuses a prompt that is too long, with the numbers", async () => {
    const prompt = "1".repeat(300);

    await expect(pipeline.encodePrompts([prompt])).rejects.toMatchObject({
      code: "INPUT_INVALID",
      message: "prompt has 316 tokens with its template; at most 224",
    });
  });
});

describe("check", () => {
  it("accepts every bound", () => {
    for (const steps of [1, 50]) pipeline.check(spec({ steps }));
    for (const seed of [0n, 2n ** 64n - 1n]) pipeline.check(spec({ seed }));
    pipeline.check(spec({ width: 4, height: 4 }));
    pipeline.check(spec({ width: 128, height: 32 }));
  });

  it.each([
    ["width", { width: 33 }, "width is 33; a multiple of 4 up to 128"],
    ["width", { width: 0 }, "width is 0"],
    ["width", { width: Number.NaN }, "width is NaN"],
    ["width", { width: 132 }, "width is 132"],
    ["height", { height: 16.5 }, "height is 16.5"],
    ["width", { width: 128, height: 36 }, "is 4608; at most 4096 pixels"],
    ["steps", { steps: 0 }, "steps is 0; an integer from 1 to 50"],
    ["steps", { steps: 51 }, "steps is 51"],
    ["seed", { seed: -1n }, "seed is -1"],
    ["seed", { seed: 2n ** 64n }, "to 18446744073709551615"],
    ["prompt", { prompt: "1".repeat(225) }, "at most 224"],
    ["prompt", { prompt: "1".repeat(40_000) }, "has 40000 characters; at most 32768"],
    ["prompt", { prompt: "\uD83D" }, "half of a character pair"],
  ])("names %s with value and bound", (field, changes, message) => {
    expect(() => pipeline.check(spec(changes))).toThrow(
      expect.objectContaining({
        code: "INPUT_INVALID",
        field,
        message: expect.stringContaining(message) as string,
      }),
    );
  });
});

describe("sizes that do not fill whole groups of 32 tokens", () => {
  // 60, 63, 4 and 32 tokens of a patch each.
  const sizes = [
    [24, 40],
    [36, 28],
    [8, 8],
    [128, 4],
  ] as const;

  it.each(sizes)("%i x %i is drawn alike alone and beside others of its size", async (...size) => {
    const [width, height] = size;
    const specs = mixed.map((one) => ({ ...one, width, height }));

    const together = await pipeline.renderBatch(specs);

    for (const [at, one] of specs.entries()) {
      expect(together[at]).toEqual(await pipeline.render(one));
    }
  });
});

describe("guidance", () => {
  const guidance = { scale: 4, negativePrompt: "dog", normalization: 0 };

  it("changes the picture, by its negative prompt too", async () => {
    const without = await pipeline.render(spec());
    const guided = await pipeline.render(spec({ guidance }));
    const other = await pipeline.render(
      spec({ guidance: { ...guidance, negativePrompt: "a bird" } }),
    );

    expect(guided).not.toEqual(without);
    expect(other).not.toEqual(guided);
  });

  it("of scale 0 is none at all", async () => {
    const without = await pipeline.render(spec());

    expect(await pipeline.render(spec({ guidance: { ...guidance, scale: 0 } }))).toEqual(without);
  });

  it("draws the same bytes alone and beside pictures without it", async () => {
    const specs = [
      spec({ guidance }),
      ...mixed,
      spec({ seed: 5n, guidance: { ...guidance, truncation: 0.2, normalization: 1 } }),
    ];

    const together = await pipeline.renderBatch(specs);

    for (const [at, one] of specs.entries()) {
      expect(together[at]).toEqual(await pipeline.render(one));
    }
  });

  it.each([
    ["guidance.scale", { scale: 21 }],
    ["guidance.scale", { scale: Number.NaN }],
    ["guidance.normalization", { normalization: -1 }],
    ["guidance.truncation", { truncation: 1.5 }],
    ["guidance.negativePrompt", { negativePrompt: "x".repeat(40_000) }],
    ["guidance.negativePrompt", { negativePrompt: "a dog, ".repeat(200) }],
  ])("is refused by %s for %j", (field, changes) => {
    expect(() => pipeline.check(spec({ guidance: { ...guidance, ...changes } }))).toThrow(
      expect.objectContaining({ code: "INPUT_INVALID", field }),
    );
  });
});
