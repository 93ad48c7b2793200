/** Makes a certificate: runs the reference, then ourselves in every mode, and compares. */
import { readFile } from "node:fs/promises";
import { arch, availableParallelism, cpus, platform } from "node:os";
import { join } from "node:path";
import { versions } from "node:process";
import type { Caption, ModelDirectory, Pixels } from "@zfarm/zimage";
import { describeModel } from "@zfarm/zimage";
import { certifiedCases } from "./cases.ts";
import type { Case, Certificate, Line } from "./certificate.ts";
import { checkBlock, fullWidthBlock } from "./check-block.ts";
import { checkDenoising } from "./check-denoising.ts";
import { checkNoise, noiseSamples } from "./check-noise.ts";
import { checkPictures } from "./check-pictures.ts";
import { checkPipeline, pipelineBytesMax, weightBytes } from "./check-pipeline.ts";
import { checkText } from "./check-text.ts";
import { Recording } from "./drawing.ts";
import { Reference } from "./reference.ts";
import { isOffered, modes, type Setting, settingOf } from "./setting.ts";
import { pictureSheet } from "./sheet.ts";
import type { TensorFile } from "./tensor-file.ts";

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
  const block = fullWidthBlock(join(workFolder, "full-width"));
  const request = { model: model.path, out: workFolder, cases, stacks: [], noise: noiseSamples };
  const reference = new Reference(python, { ...request, block });
  const recorded = await record(reference, say);
  const lines = await checkNoise(recorded.noise);
  const checked: Checked[] = [];
  for (const mode of modes.filter(isOffered)) {
    say(`comparing ${mode}`);
    checked.push(await checkMode(settingOf(model, mode), cases, recorded));
    lines.push(...(await checkBlock(settingOf(model, mode), block, recorded.block)));
  }
  const all = [...lines, ...checked.flatMap((one) => one.lines)];
  const [first] = checked;
  return {
    certificate: {
      format: 1,
      model: { name: model.name, digest: model.digest, loras: [] },
      ours: await ownVersions(),
      reference: await reference.versions(),
      conditions: conditions(),
      cases,
      skipped: skippedOf(model),
      lines: all,
      pass: all.every((line) => line.pass),
    },
    sheet: await pictureSheet(first?.recordings ?? [], first?.pixels ?? new Map()),
  };
}

function skippedOf(model: ModelDirectory): Certificate["skipped"] {
  const missing = modes.filter((mode) => !isOffered(mode));
  const skipped = missing.map((what) => ({ what, reason: "the engine does not offer it" }));
  if (weightBytes(model) <= pipelineBytesMax) return skipped;
  const reason = "its networks would be in memory together";
  return [...skipped, { what: "the pipeline as a whole", reason }];
}

interface Recorded {
  readonly noise: TensorFile;
  readonly text: TensorFile;
  readonly pictures: TensorFile;
  readonly block: TensorFile;
}

/** One process after the other, so that only one component is in memory. */
async function record(reference: Reference, say: (text: string) => void): Promise<Recorded> {
  say("running the reference: noise, text encoder");
  const noise = await reference.run("noise");
  const text = await reference.run("text");
  say("running the reference: pictures");
  const pictures = await reference.run("pictures");
  say("running the reference: one block at full width");
  await reference.writeBlock();
  return { noise, text, pictures, block: await reference.run("block") };
}

interface Checked {
  readonly lines: readonly Line[];
  readonly recordings: readonly Recording[];
  readonly pixels: ReadonlyMap<string, Pixels>;
}

async function checkMode(
  setting: Setting,
  cases: readonly Case[],
  recorded: Recorded,
): Promise<Checked> {
  const drawings = cases.map((spec) => ({ name: spec.name, spec, loras: [] }));
  const recordings = drawings.map(
    (drawing) =>
      new Recording(drawing, "pipeline", { file: recorded.pictures, prefix: drawing.name }),
  );
  const text = await checkText(setting, cases, recorded.text);
  const theirs = await recordedCaptions(cases, recorded.text);
  const denoising = await checkDenoising(setting, {
    drawings,
    recordings,
    theirs,
    ours: text.captions,
  });
  const pictures = await checkPictures(setting, recordings, denoising.latents);
  const whole =
    weightBytes(setting.model) > pipelineBytesMax
      ? []
      : await checkPipeline(setting, drawings, pictures.pixels);
  const lines = [...text.lines, ...denoising.lines, ...pictures.lines, ...whole];
  return { lines, recordings, pixels: pictures.pixels };
}

async function recordedCaptions(
  cases: readonly Case[],
  text: TensorFile,
): Promise<Map<string, Caption>> {
  const captions = new Map<string, Caption>();
  for (const { name, prompt } of cases) {
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
