/** Reads what a model's configuration files say, or knows it where single files come without. */
import { readdir, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import type { TextEncoderConfig, TransformerConfig } from "../config.ts";
import { ModelError } from "../errors.ts";
import type { PreparedRecord } from "../weights/prepared-format.ts";
import { parsePreparedRecord, preparedRecordFile } from "../weights/prepared-format.ts";
import type { SchedulerConfig, VaeFile } from "./config-files.ts";
import {
  checkModelIndex,
  parseSchedulerConfig,
  parseTextEncoderConfig,
  parseTransformerConfig,
  parseVaeFile,
} from "./config-files.ts";
import type { ModelLayout } from "./find-layout.ts";
import { modelIndexFile } from "./find-layout.ts";
import { readJson } from "./read-json.ts";
import {
  memberOfFileName,
  releasedTextEncoder,
  releasedTransformer,
  releasedVae,
  shiftOf,
} from "./released-configs.ts";

export interface ModelConfigs {
  readonly transformer: TransformerConfig;
  readonly textEncoder: TextEncoderConfig;
  readonly vae: VaeFile;
  readonly scheduler: SchedulerConfig;
  /** `zfarm.json`, where the directory was prepared. */
  readonly prepared: PreparedRecord | undefined;
  /** Absolute path of the folder with tokenizer.json and tokenizer_config.json. */
  readonly tokenizerFolder: string;
  /** Every small file that decides about pictures, by its name in the directory. */
  readonly files: ReadonlyMap<string, string>;
}

/** MODEL_INVALID names the file and the field that are missing or wrong. */
export async function readModelConfigs(layout: ModelLayout): Promise<ModelConfigs> {
  const { path } = layout;
  const files = new Map<string, string>();
  const parseIn =
    <T>(name: string, parse: (value: unknown, file: string) => T) =>
    async (): Promise<T> => {
      const file = join(path, name);
      files.set(name, file);
      return parse(await readJson(file), file);
    };
  /** What is known of the released models stands in for the file of a single-file layout. */
  const read = async <T>(value: () => Promise<T>, name: string, known: () => T): Promise<T> => {
    const isAbsent = layout.kind === "comfyui" && !(await exists(join(path, name)));
    return isAbsent ? known() : await value();
  };
  const names = {
    scheduler: "scheduler/scheduler_config.json",
    transformer: "transformer/config.json",
    textEncoder: "text_encoder/config.json",
    vae: "vae/config.json",
  };
  const index = parseIn(modelIndexFile, checkModelIndex);
  await read(index, modelIndexFile, () => {});
  const scheduler = await read(
    parseIn(names.scheduler, parseSchedulerConfig),
    names.scheduler,
    () => schedulerByName(layout),
  );
  const transformer = await read(
    parseIn(names.transformer, parseTransformerConfig),
    names.transformer,
    () => releasedTransformer,
  );
  const textEncoder = await read(
    parseIn(names.textEncoder, parseTextEncoderConfig),
    names.textEncoder,
    () => releasedTextEncoder,
  );
  const vae = await read(parseIn(names.vae, parseVaeFile), names.vae, () => releasedVae);
  const isPrepared = await exists(join(path, preparedRecordFile));
  const prepared = isPrepared
    ? await parseIn(preparedRecordFile, parsePreparedRecord)()
    : undefined;
  const tokenizerFolder = await findTokenizer(layout, files);
  return { transformer, textEncoder, vae, scheduler, prepared, tokenizerFolder, files };
}

/** Nothing in the tensors tells the members of the family apart. */
function schedulerByName({ path, files }: ModelLayout): SchedulerConfig {
  const file = files?.transformer ?? path;
  const member = memberOfFileName(basename(file));
  if (member !== undefined) return { shift: shiftOf[member] };
  const what = "its name says neither turbo nor base, and there is no";
  const wanted = join(path, "scheduler/scheduler_config.json");
  throw new ModelError("MODEL_INVALID", `${file}: ${what} ${wanted}`, { file });
}

async function findTokenizer(layout: ModelLayout, files: Map<string, string>): Promise<string> {
  const { path, kind } = layout;
  const isBeside = kind === "comfyui" && (await exists(join(path, "tokenizer.json")));
  const folder = isBeside ? path : join(path, "tokenizer");
  for (const name of ["tokenizer.json", "tokenizer_config.json"]) {
    const file = join(folder, name);
    if (kind === "comfyui" && !(await exists(file))) {
      const hint = "single files come without it; copy the folder `tokenizer` of the model there";
      throw new ModelError("MODEL_INVALID", `${file} is missing: ${hint}`, { file });
    }
    files.set(`tokenizer/${name}`, file);
  }
  const template = "chat_template.jinja";
  const entries = await readdir(folder).catch((): string[] => []);
  if (entries.includes(template)) files.set(`tokenizer/${template}`, join(folder, template));
  return folder;
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  );
}
