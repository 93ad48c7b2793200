/** Reads a model directory in diffusers' layout and refuses it unless everything in it fits. */
import { readdir, realpath } from "node:fs/promises";
import { basename, join, resolve, sep } from "node:path";
import type { TextEncoderConfig, TransformerConfig } from "../config.ts";
import { ModelError } from "../errors.ts";
import { invariant } from "../invariant.ts";
import type { OpenedTensors } from "../weights/open-tensor-index.ts";
import { openTensorIndex } from "../weights/open-tensor-index.ts";
import type { PreparedRecord } from "../weights/prepared-format.ts";
import { parsePreparedRecord, preparedRecordFile } from "../weights/prepared-format.ts";
import type { TensorIndex } from "../weights/tensor-index.ts";
import { checkTensors } from "./check-tensors.ts";
import type { SchedulerConfig, VaeFile } from "./config-files.ts";
import {
  checkModelIndex,
  parseSchedulerConfig,
  parseTextEncoderConfig,
  parseTransformerConfig,
  parseVaeFile,
} from "./config-files.ts";
import { prepareShapes } from "./expected-prepared-tensors.ts";
import { expectedTextEncoderTensors, expectedTransformerTensors } from "./expected-tensors.ts";
import { expectedVaeTensors } from "./expected-vae-tensors.ts";
import { digestModel } from "./model-digest.ts";
import { readJson } from "./read-json.ts";

export interface ModelDirectory {
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
}

/** An element type of files, or blocks of small integers. */
export type StoredWeights = "F32" | "F16" | "BF16" | "int8" | "int4";

const jsonFiles = {
  modelIndex: "model_index.json",
  transformer: "transformer/config.json",
  textEncoder: "text_encoder/config.json",
  vae: "vae/config.json",
  scheduler: "scheduler/scheduler_config.json",
  tokenizer: "tokenizer/tokenizer.json",
  tokenizerConfig: "tokenizer/tokenizer_config.json",
} as const;

const chatTemplateFile = "tokenizer/chat_template.jinja";

/**
 * Opens the model in `directory`: reads its configuration and the headers of its weights, and
 * checks every tensor's name and shape. Weights themselves stay on disk.
 * Throws MODEL_INVALID with the file and, where one is at fault, the field or tensor.
 */
export async function openModelDirectory(directory: string): Promise<ModelDirectory> {
  const path = await realpath(directory).catch((cause: unknown) => {
    const file = resolve(directory);
    throw new ModelError("MODEL_INVALID", `${file} is missing`, { file, cause });
  });
  const read = async <T>(name: string, parse: (value: unknown, file: string) => T): Promise<T> => {
    const file = join(path, name);
    return parse(await readJson(file), file);
  };
  await read(jsonFiles.modelIndex, checkModelIndex);
  const scheduler = await read(jsonFiles.scheduler, parseSchedulerConfig);
  const transformer = await read(jsonFiles.transformer, parseTransformerConfig);
  const textEncoder = await read(jsonFiles.textEncoder, parseTextEncoderConfig);
  const vae = await read(jsonFiles.vae, parseVaeFile);
  checkFit(path, { transformer, textEncoder, vae });
  const prepared = await readPreparedRecord(path);
  const opened = await openWeights(path, prepared !== undefined);
  const mode = prepared?.weights ?? "bf16";
  checkTensors(opened.transformer, prepareShapes(expectedTransformerTensors(transformer), mode));
  checkTensors(opened.textEncoder, prepareShapes(expectedTextEncoderTensors(textEncoder), mode));
  checkTensors(opened.vae, expectedVaeTensors(vae.config));
  return {
    path,
    name: modelName(path),
    digest: await digestDirectory(path, Object.values(opened), prepared !== undefined),
    transformer: { config: transformer, tensors: opened.transformer.index },
    textEncoder: { config: textEncoder, tensors: opened.textEncoder.index },
    vae: { ...vae, tensors: opened.vae.index },
    scheduler,
    stored: storedWeights(opened.transformer.index, prepared),
    prepared,
    tokenizerFolder: join(path, "tokenizer"),
  };
}

interface Configs {
  readonly transformer: TransformerConfig;
  readonly textEncoder: TextEncoderConfig;
  readonly vae: VaeFile;
}

/** What one component hands over must be what the next one takes. */
function checkFit(path: string, configs: Configs): void {
  const { transformer, textEncoder, vae } = configs;
  const file = join(path, jsonFiles.transformer);
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

interface OpenedComponents {
  readonly transformer: OpenedTensors;
  readonly textEncoder: OpenedTensors;
  readonly vae: OpenedTensors;
}

async function openWeights(path: string, prepared: boolean): Promise<OpenedComponents> {
  const diffusersStem = "diffusion_pytorch_model";
  const folder = join(path, "transformer");
  return {
    transformer: await openTensorIndex({ folder, stem: diffusersStem, prepared }),
    textEncoder: await openTensorIndex({
      folder: join(path, "text_encoder"),
      stem: "model",
      prepared,
      // Qwen3ForCausalLM saves the encoder as its member `model`.
      prefix: "model.",
    }),
    vae: await openTensorIndex({ folder: join(path, "vae"), stem: diffusersStem }),
  };
}

/** The record of a prepared directory; a directory as downloaded has none. */
async function readPreparedRecord(path: string): Promise<PreparedRecord | undefined> {
  if (!(await readdir(path)).includes(preparedRecordFile)) return undefined;
  const file = join(path, preparedRecordFile);
  return parsePreparedRecord(await readJson(file), file);
}

/** One Linear stands for all: blocks come from one mode, and files keep one element type. */
function storedWeights(index: TensorIndex, prepared: PreparedRecord | undefined): StoredWeights {
  if (prepared !== undefined && prepared.weights !== "bf16") return prepared.weights;
  const dtype = index.tensors.get("layers.0.feed_forward.w1.weight")?.dtype;
  invariant(dtype !== undefined && dtype !== "U8", "a checked transformer has Linears of floats");
  return dtype;
}

async function digestDirectory(
  path: string,
  opened: readonly OpenedTensors[],
  isPrepared: boolean,
): Promise<string> {
  const hasTemplate = (await readdir(join(path, "tokenizer"))).includes(basename(chatTemplateFile));
  const names: string[] = Object.values(jsonFiles);
  if (hasTemplate) names.push(chatTemplateFile);
  if (isPrepared) names.push(preparedRecordFile);
  const files = opened.flatMap((one) => one.files);
  return await digestModel({
    smallFiles: new Map(names.map((name) => [name, join(path, name)])),
    weightFiles: new Map(
      files.map((file) => [file.path.slice(path.length + 1).replaceAll(sep, "/"), file]),
    ),
  });
}

/** A Hugging Face cache keeps a model in `models--owner--name/snapshots/revision`. */
function modelName(path: string): string {
  const parts = path.split(sep);
  const repository = parts.at(-2) === "snapshots" ? parts.at(-3) : undefined;
  return repository?.startsWith("models--")
    ? repository.slice("models--".length).replaceAll("--", "/")
    : basename(path);
}
