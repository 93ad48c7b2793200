import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { fillInput } from "../../test/hash-filler.ts";
import { writeTinyModel } from "../../test/tiny-model.ts";
import { ModelError } from "../errors.ts";
import { MemoryKeeper } from "../memory/memory-keeper.ts";
import { networkBytes } from "../memory/network-bytes.ts";
import { type ModelDirectory, openModelDirectory } from "../model/open-model-directory.ts";
import type { Networks, OpenAtOnce } from "../networks/open-networks.ts";
import { openPromptEncoder } from "../prompt/prompt-encoder.ts";
import { describeModel } from "./model-info.ts";
import { ModelPipeline } from "./model-pipeline.ts";
import type { RenderSpec } from "./render-spec.ts";

let folder: string;
let model: ModelDirectory;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tiny-model-"));
  await writeTinyModel(folder);
  model = await openModelDirectory(folder);
});

afterAll(() => rm(folder, { recursive: true }));

const spec: RenderSpec = { prompt: "cat", width: 32, height: 32, steps: 1, seed: 1n };

/** Networks that answer noise and write down what was asked of them. */
function noisyNetworks({ failingDecodes = 0 } = {}): Networks & { readonly calls: string[] } {
  const calls: string[] = [];
  let decodes = 0;
  const close = async (): Promise<void> => {};
  return {
    calls,
    keepOpen: (atOnce) => void calls.push(`keep ${atOnce} open`),
    textEncoder: {
      encode: async (ids) =>
        ids.map(({ length }) => fillInput("caption", length * model.transformer.config.captionDim)),
      close,
    },
    transformer: {
      predict: async ({ latents }) => {
        calls.push("predict");
        return latents.map(({ length }) => fillInput("prediction", length));
      },
      close,
    },
    vaeDecoder: {
      decode: async ({ latents, height, width }) => {
        calls.push("decode");
        decodes += 1;
        if (decodes <= failingDecodes) throw new ModelError("MEMORY_EXCEEDED", "no memory");
        return latents.map(() => fillInput("picture", 3 * 2 * height * 2 * width));
      },
      close,
    },
    close,
  };
}

async function pipelineOver(networks: Networks, open: OpenAtOnce): Promise<ModelPipeline> {
  const info = describeModel(model);
  const budget = { bytes: 1e9, networks: networkBytes(model, "fp32"), open: [open] };
  return new ModelPipeline({
    model,
    info,
    weights: "fp32",
    promptEncoder: await openPromptEncoder(model.tokenizerFolder, info.tokensMax),
    networks,
    memory: new MemoryKeeper(model, budget),
    rowsMax: 4096,
    worksBeside: false,
    patience: { baseMs: 0, pixelMs: 0 },
    holdsAll: true,
  });
}

test("what the plan leaves open is closed before steps and before the decoding", async () => {
  const networks = noisyNetworks();
  const pipeline = await pipelineOver(networks, "one");

  await pipeline.render(spec);

  expect(networks.calls).toEqual(["keep one open", "predict", "keep one open", "decode"]);
});

test("previews come once the model's colours could be learned", async () => {
  const pipeline = await pipelineOver(noisyNetworks({ failingDecodes: 1 }), "all");
  const [caption] = await pipeline.encodePrompts([spec.prompt]);
  if (caption === undefined) expect.fail("no caption");
  const render = pipeline.start(spec, caption);
  await pipeline.step([render]);

  await expect(pipeline.preview(render)).rejects.toThrow("no memory");

  expect(await pipeline.preview(render)).toMatchObject({ width: 16, height: 16 });
});
