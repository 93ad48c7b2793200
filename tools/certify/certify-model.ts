/** Makes a certificate: runs the reference, then ourselves in every mode, and compares. */
import { readFile } from "node:fs/promises";
import { arch, availableParallelism, cpus, platform } from "node:os";
import { join } from "node:path";
import { versions } from "node:process";
import { fileURLToPath } from "node:url";
import type { Caption, ModelDirectory, Pixels, WeightMode } from "@zfarm/zimage";
import { describeModel } from "@zfarm/zimage";
import { certifiedStacks, type NamedAdapter, readAdapters } from "./adapters.ts";
import { certifiedCases, textsOf } from "./cases.ts";
import type { Case, Certificate, Line } from "./certificate.ts";
import { checkBlock, fullWidthBlock } from "./check-block.ts";
import { checkDenoising } from "./check-denoising.ts";
import { checkNoise, noiseSamples } from "./check-noise.ts";
import { checkPictures } from "./check-pictures.ts";
import { checkPipeline, pipelineBytesMax, weightBytes } from "./check-pipeline.ts";
import { checkText } from "./check-text.ts";
import { Recording } from "./drawing.ts";
import { Reference } from "./reference.ts";
import type { ReferenceRequest } from "./reference-request.ts";
import { completeModel, discardSetting, modes, openSetting, type Setting } from "./setting.ts";
import { type ModePictures, pictureSheet } from "./sheet.ts";
import type { TensorFile } from "./tensor-file.ts";

/** Gives the layer at full width the other components of a whole model. */
const smallModel = fileURLToPath(new URL("../../models/z-image-nano", import.meta.url));

export interface CertifyOptions {
  readonly model: ModelDirectory;
  /** Python with the reference's packages. */
  readonly python: string;
  /** For files of the reference: it may grow to some gigabytes. */
  readonly workFolder: string;
  /** Pixels of a side; by default the model's own, up to 256. */
  readonly side?: number;
  readonly say: (text: string) => void;
}

export interface Certified {
  readonly certificate: Certificate;
  readonly sheet: Pixels;
}

export async function certifyModel(options: CertifyOptions): Promise<Certified> {
  const { model, python, workFolder, side, say } = options;
  const cases = certifiedCases(describeModel(model), side);
  const adapters = await readAdapters(model);
  const request = {
    model: model.path,
    out: workFolder,
    cases,
    stacks: certifiedStacks(adapters, cases),
    noise: noiseSamples,
    block: fullWidthBlock(join(workFolder, "full-width")),
  };
  const reference = new Reference(python, request);
  const recorded = await record(reference, request, say);
  const lines = await checkNoise(recorded.noise);
  const checked: Checked[] = [];
  for (const mode of modes) {
    say(`comparing ${mode}`);
    const setting = await openSetting(model, mode, workFolder);
    const one = await checkMode(setting, { request, adapters, recorded });
    const block = await openSetting(recorded.blockModel, mode, request.block.folder);
    lines.push(...one.lines, ...(await checkBlock(block, request.block, recorded.block)));
    checked.push(one);
    await discardSetting(setting, model);
    await discardSetting(block, recorded.blockModel);
  }
  const loras = adapters.map(({ name, adapter }) => ({ name, digest: adapter.id }));
  return {
    certificate: {
      format: 1,
      model: { name: model.name, digest: model.digest, loras },
      ours: await ownVersions(),
      reference: await reference.versions(),
      conditions: conditions(),
      cases,
      skipped: skippedOf(model),
      pass: lines.every((line) => line.pass),
      lines,
    },
    sheet: await pictureSheet(checked[0]?.recordings ?? [], picturesOf(checked)),
  };
}

/** Our pictures by mode and drawing. */
function picturesOf(checked: readonly Checked[]): ModePictures {
  return new Map(checked.map(({ mode, pixels }) => [mode, pixels]));
}

function skippedOf(model: ModelDirectory): Certificate["skipped"] {
  const computing = { what: "bfloat16 arithmetic", reason: "it needs a GPU" };
  if (weightBytes(model) <= pipelineBytesMax) return [computing];
  const reason = "its networks would be in memory together";
  return [computing, { what: "the pipeline as a whole", reason }];
}

interface Recorded {
  readonly noise: TensorFile;
  readonly text: TensorFile;
  readonly pictures: TensorFile;
  /** Absent without adapters. */
  readonly stacks: TensorFile | undefined;
  readonly blockModel: ModelDirectory;
  readonly block: TensorFile;
}

/** One process after the other, so that only one component is in memory. */
async function record(
  reference: Reference,
  { stacks, block }: ReferenceRequest,
  say: (text: string) => void,
): Promise<Recorded> {
  say("running the reference: noise, text encoder");
  const noise = await reference.run("noise");
  const text = await reference.run("text");
  say("running the reference: pictures");
  const pictures = await reference.run("pictures");
  const drawn = stacks.length === 0 ? undefined : await reference.run("stacks");
  say("running the reference: one layer at full width");
  await reference.writeBlock();
  const blockModel = await completeModel(block.folder, smallModel);
  return { noise, text, pictures, stacks: drawn, blockModel, block: await reference.run("block") };
}

interface Checked {
  readonly mode: WeightMode;
  readonly lines: readonly Line[];
  readonly recordings: readonly Recording[];
  readonly pixels: ReadonlyMap<string, Pixels>;
}

interface Wanted {
  readonly request: ReferenceRequest;
  readonly adapters: readonly NamedAdapter[];
  readonly recorded: Recorded;
}

async function checkMode(setting: Setting, wanted: Wanted): Promise<Checked> {
  const { cases } = wanted.request;
  const { text: recordedText } = wanted.recorded;
  const recordings = recordingsOf(wanted);
  const drawings = [...new Set(recordings.map((recording) => recording.drawing))];
  const text = await checkText(setting, cases, recordedText);
  const theirs = await recordedCaptions(cases, recordedText);
  const check = { drawings, recordings, theirs, ours: text.captions };
  const denoising = await checkDenoising(setting, check);
  const pictures = await checkPictures(setting, recordings, denoising.latents);
  const whole =
    weightBytes(setting.model) > pipelineBytesMax
      ? []
      : await checkPipeline(setting, drawings, pictures.pixels);
  const lines = [...text.lines, ...denoising.lines, ...pictures.lines, ...whole];
  return { mode: setting.mode, lines, recordings, pixels: pictures.pixels };
}

/** Every drawing with what the reference recorded of it: stacks of adapters twice. */
function recordingsOf({ request, adapters, recorded }: Wanted): Recording[] {
  const plain = request.cases.map((spec) => {
    const source = { file: recorded.pictures, prefix: spec.name };
    return new Recording({ name: spec.name, spec, loras: [] }, undefined, source);
  });
  const { stacks } = recorded;
  if (stacks === undefined) return plain;
  const stacked = request.stacks.flatMap(({ name, case: caseName, uses }, index) => {
    const spec = request.cases.find((one) => one.name === caseName);
    if (spec === undefined) return [];
    const loras = uses.flatMap(({ path, weight }) => {
      const adapter = adapters.find((one) => one.path === path)?.adapter;
      return adapter === undefined ? [] : [{ adapter, strength: weight }];
    });
    const drawing = { name, spec, loras };
    return (["loader", "merged"] as const).map(
      (way) => new Recording(drawing, way, { file: stacks, prefix: `${index}.${way}` }),
    );
  });
  return [...plain, ...stacked];
}

async function recordedCaptions(
  cases: readonly Case[],
  text: TensorFile,
): Promise<Map<string, Caption>> {
  const captions = new Map<string, Caption>();
  for (const { name, prompt } of cases.flatMap(textsOf)) {
    const { length } = await text.get(`${name}.ids`);
    captions.set(name, { prompt, data: await text.get(`${name}.states`), length });
  }
  return captions;
}

async function ownVersions(): Promise<Record<string, string>> {
  const read = async (path: string): Promise<string> => {
    const text = await readFile(new URL(path, import.meta.url), "utf8");
    return (JSON.parse(text) as { version: string }).version;
  };
  return {
    zfarm: await read("../../package.json"),
    "onnxruntime-node": await read("../../node_modules/onnxruntime-node/package.json"),
    node: versions.node,
  };
}

function conditions(): Record<string, string> {
  return {
    processor: `${cpus()[0]?.model ?? "unknown"}, ${availableParallelism()} threads`,
    platform: `${platform()}-${arch()}`,
    weights: "as stored, computed in float32 by the reference",
  };
}
