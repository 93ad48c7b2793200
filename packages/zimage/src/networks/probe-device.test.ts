import { expect, test } from "vitest";
import { writeTextEncoder, writeTransformer } from "../../test/filled-checkpoint.ts";
import { writePrepared } from "../../test/prepared-checkpoint.ts";
import { tinyTextEncoder, tinyTransformer } from "../../test/tiny-networks.ts";
import { buildCaptionGraph } from "../graph/caption-graph.ts";
import type { WeightOptions } from "../graph/model-builder.ts";
import { buildTextEncoderGraph } from "../graph/text-encoder-graph.ts";
import { buildTransformerGraph } from "../graph/transformer-graph.ts";
import type { TensorIndex } from "../weights/tensor-index.ts";
import { parseDevice } from "./device.ts";
import { missingIn } from "./missing-library.ts";
import { findMissingLibrary, probeDevice } from "./probe-device.ts";
import { openSession } from "./session.ts";

test.each([
  ["cpu", { kind: "cpu" }],
  ["cuda", { kind: "cuda", id: 0 }],
  ["cuda:3", { kind: "cuda", id: 3 }],
])("%s is a device", (text, device) => {
  expect(parseDevice(text)).toEqual(device);
});

test.each(["gpu", "cuda:", "cuda:x", "cuda:1:2", ""])("'%s' is not, and says so", (text) => {
  expect(() => parseDevice(text)).toThrow(
    expect.objectContaining({ code: "INPUT_INVALID", field: "device" }),
  );
});

test("the processor needs no probe", async () => {
  await expect(probeDevice(parseDevice("cpu"))).resolves.toBeUndefined();
});

test("a card without its libraries fails by name, and no processor steps in", async () => {
  const hasCuda = (await findMissingLibrary()) === undefined;
  const probing = probeDevice(parseDevice("cuda:0"));

  if (hasCuda) await expect(probing).resolves.toBeUndefined();
  else await expect(probing).rejects.toThrow(/^device cuda:0 cannot be used: lib\S+ is missing$/);
});

test("the loader's message names the library", () => {
  const message = "libcudart.so.13: cannot open shared object file: No such file or directory";

  expect(missingIn(message)).toBe("libcudart.so.13");
  expect(missingIn("Module did not self-register")).toBeUndefined();
});

test("the processor refuses a session that may not fall back on it", async () => {
  const { model } = buildTransformerGraph(
    tinyTransformer,
    (await writeTransformer(tinyTransformer)).index,
  );

  await expect(openSession(model, "/", { fallback: false })).rejects.toMatchObject({
    code: "ENGINE_FAILED",
  });
});

type Build = (index: TensorIndex, options: WeightOptions) => Uint8Array;

const builds: readonly (readonly [string, Build])[] = [
  ["transformer", (index, options) => buildTransformerGraph(tinyTransformer, index, options).model],
  ["captions", (index, options) => buildCaptionGraph(tinyTransformer, index, options).model],
  ["encoder", (index, options) => buildTextEncoderGraph(tinyTextEncoder, index, options)],
];

/**
 * A processor has no kernels for bfloat16, but it checks a graph's types before it looks for
 * kernels: that it misses a kernel shows that every value has the type that its users want.
 */
test.each(["as written", "bf16", "int8", "int4"] as const)(
  "the graphs in bfloat16 are well typed over weights that are %s",
  async (weights) => {
    for (const [kind, build] of builds) {
      await using source =
        kind === "encoder"
          ? await writeTextEncoder(tinyTextEncoder)
          : await writeTransformer(tinyTransformer);
      const prepared =
        weights === "as written" ? undefined : await writePrepared(source.index, weights);
      const { index } = prepared ?? source;
      const options = { compute: "bfloat16", loraSupport: "pairs and products" } as const;
      const model = build(index, options);
      const opening = openSession(model, index.folder);
      await expect(opening).rejects.toThrow("Could not find an implementation");
      await prepared?.[Symbol.asyncDispose]();
    }
  },
);
