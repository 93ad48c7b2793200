/** Opens a model on disk, in any of its layouts, and refuses it unless everything in it fits. */
import { basename, join, relative, sep } from "node:path";
import type { TextEncoderConfig, TransformerConfig } from "../config.ts";
import { ModelError } from "../errors.ts";
import { invariant } from "../invariant.ts";
import type { OpenedTensors, WeightFile } from "../weights/open-tensor-index.ts";
import type { PreparedRecord } from "../weights/prepared-format.ts";
import type { TensorIndex } from "../weights/tensor-index.ts";
import { checkTensors } from "./check-tensors.ts";
import type { SchedulerConfig, VaeFile } from "./config-files.ts";
import { prepareShapes } from "./expected-prepared-tensors.ts";
import { expectedTextEncoderTensors, expectedTransformerTensors } from "./expected-tensors.ts";
import { expectedVaeTensors } from "./expected-vae-tensors.ts";
import type { ModelLayout } from "./find-layout.ts";
import { findLayout } from "./find-layout.ts";
import { digestModel } from "./model-digest.ts";
import type { OpenedComponents } from "./open-components.ts";
import { openComponents } from "./open-components.ts";
import type { ModelConfigs } from "./read-model-configs.ts";
import { readModelConfigs } from "./read-model-configs.ts";

export interface ModelDirectory {
  readonly layout: ModelLayout["kind"];
  /** Absolute path. */
  readonly path: string;
  /** `owner/name` inside a Hugging Face cache, else the directory's own name. */
  readonly name: string;
  /** SHA-256 in hex; see `model-digest.ts` for what it covers. */
  readonly digest: string;
  readonly transformer: { readonly config: TransformerConfig; readonly tensors: TensorIndex };
  readonly textEncoder: { readonly config: TextEncoderConfig; readonly tensors: TensorIndex };
  readonly vae: VaeFile & { readonly tensors: TensorIndex };
  readonly scheduler: SchedulerConfig;
  /** How the transformer's large Linears are stored. */
  readonly stored: StoredWeights;
  /** `zfarm.json`, where the directory was prepared. */
  readonly prepared: PreparedRecord | undefined;
  /** Absolute path of the folder with tokenizer.json and tokenizer_config.json. */
  readonly tokenizerFolder: string;
  /** The small files that decide about pictures: name in the directory to absolute path. */
  readonly configFiles: ReadonlyMap<string, string>;
  /** The files of weights, under their names in the directory. */
  readonly weightFiles: readonly NamedWeightFile[];
}

export interface NamedWeightFile {
  readonly name: string;
  /** Absolute, with links resolved. */
  readonly realPath: string;
  readonly bytes: number;
}

/** An element type of files, or blocks of small integers. */
export type StoredWeights = "F32" | "F16" | "BF16" | "int8" | "int4";

/**
 * Opens the model in `directory`: reads its configuration and the headers of its weights, and
 * checks every tensor's name and shape. Weights themselves stay on disk. See `findLayout` for what
 * the directory may be.
 * Throws MODEL_INVALID with the file and, where one is at fault, the field or tensor.
 */
export async function openModelDirectory(directory: string): Promise<ModelDirectory> {
  const layout = await findLayout(directory);
  const configs = await readModelConfigs(layout);
  const { path } = layout;
  checkFit(path, configs);
  const opened = await openComponents(layout, configs);
  checkComponents(opened, configs);
  return {
    layout: layout.kind,
    path,
    name: modelName(path),
    digest: await digestDirectory(path, { opened, configs }),
    transformer: { config: configs.transformer, tensors: opened.transformer.index },
    textEncoder: { config: configs.textEncoder, tensors: opened.textEncoder.index },
    vae: { ...configs.vae, tensors: opened.vae.index },
    scheduler: configs.scheduler,
    stored: storedWeights(opened.transformer.index, configs.prepared),
    prepared: configs.prepared,
    tokenizerFolder: configs.tokenizerFolder,
    configFiles: configs.files,
    weightFiles: nameFiles(path, opened).map(([name, { realPath, header }]) => ({
      name,
      realPath,
      bytes: header.fileLength,
    })),
  };
}

/** What one component hands over must be what the next one takes. */
function checkFit(path: string, configs: ModelConfigs): void {
  const { transformer, textEncoder, vae } = configs;
  const file = join(path, "transformer/config.json");
  const pairs = [
    ["cap_feat_dim", transformer.captionDim, "text_encoder hidden_size", textEncoder.hidden],
    ["in_channels", transformer.inChannels, "vae latent_channels", vae.config.latentChannels],
  ] as const;
  for (const [field, value, other, wanted] of pairs) {
    if (value === wanted) continue;
    const message = `${file}: field ${field} is ${value}, but ${other} is ${wanted}`;
    throw new ModelError("MODEL_INVALID", message, { file, field });
  }
}

function checkComponents(opened: OpenedComponents, configs: ModelConfigs): void {
  const { transformer, textEncoder, vae, prepared } = configs;
  // In bf16 a prepared tensor has the name and shape it was made from.
  const mode = prepared?.weights ?? "bf16";
  checkTensors(opened.transformer, prepareShapes(expectedTransformerTensors(transformer), mode));
  checkTensors(opened.textEncoder, prepareShapes(expectedTextEncoderTensors(textEncoder), mode));
  checkTensors(opened.vae, expectedVaeTensors(vae.config));
}

/** One Linear stands for all: blocks come from one mode, and files keep one element type. */
function storedWeights(index: TensorIndex, prepared: PreparedRecord | undefined): StoredWeights {
  if (prepared !== undefined && prepared.weights !== "bf16") return prepared.weights;
  const dtype = index.tensors.get("layers.0.feed_forward.w1.weight")?.dtype;
  invariant(dtype !== undefined && dtype !== "U8", "a checked transformer has Linears of floats");
  return dtype;
}

interface DigestParts {
  readonly opened: OpenedComponents;
  readonly configs: ModelConfigs;
}

async function digestDirectory(path: string, { opened, configs }: DigestParts): Promise<string> {
  return await digestModel({
    smallFiles: configs.files,
    weightFiles: new Map(nameFiles(path, opened)),
  });
}

function nameFiles(path: string, opened: OpenedComponents): [string, WeightFile][] {
  const files = Object.values(opened).flatMap((one: OpenedTensors) => one.files);
  return files.map((file) => [relative(path, file.path).replaceAll(sep, "/"), file]);
}

/** A Hugging Face cache keeps a model in `models--owner--name/snapshots/revision`. */
function modelName(path: string): string {
  const parts = path.split(sep);
  const repository = parts.at(-2) === "snapshots" ? parts.at(-3) : undefined;
  return repository?.startsWith("models--")
    ? repository.slice("models--".length).replaceAll("--", "/")
    : basename(path);
}
