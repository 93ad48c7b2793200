/** `zfarm model`: looks whether a model on disk is whole, and prepares it for smaller machines. */
import { basename } from "node:path";
import { parseArgs } from "node:util";
import { isBlobKey, openBlobStore, readBlobsConfig } from "@zfarm/blobs";
import { EnvReader, systemClock } from "@zfarm/runtime";
import type { ComponentCount, ModelDirectory, PreparedMode } from "@zfarm/zimage";
import {
  countParameters,
  describeModel,
  examineWeights,
  memberOfShift,
  openModelDirectory,
  preparedModes,
  prepareModel,
  releasedParameterCount,
} from "@zfarm/zimage";
import type { CommandContext } from "../command.ts";
import { fetchModel } from "../fetch-model.ts";
import { formatTable } from "../terminal.ts";
import { UsageError } from "../usage-error.ts";
import {
  chooseForCpu,
  describeCards,
  describeRows,
  explainChoice,
  parametersOf,
  weightHeadings,
  workerMemoryBytes,
} from "../weight-report.ts";

export async function runModel(context: CommandContext): Promise<void> {
  const { values, positionals } = parseArgs({
    args: [...context.args],
    options: {
      deep: { type: "boolean", default: false },
      weights: { type: "string" },
      out: { type: "string" },
    },
    allowPositionals: true,
  });
  const [verb, directory, ...more] = positionals;
  const [target] = more;
  if (verb === "fetch" && directory !== undefined && target !== undefined && more.length === 1) {
    return await fetchFromStore(context, { prefix: directory, directory: target });
  }
  if (directory !== undefined && more.length === 0) {
    if (verb === "check") return await checkModel(context, { directory, deep: values.deep });
    if (verb === "prepare") return await prepare(context, { directory, ...values });
  }
  throw new UsageError(
    "model takes check DIR [--deep], prepare DIR --weights bf16|int8|int4 [--out DIR], " +
      "or fetch PREFIX DIR",
  );
}

interface CheckCall {
  readonly directory: string;
  /** Whether every weight is read. */
  readonly deep: boolean;
}

async function checkModel(context: CommandContext, { directory, deep }: CheckCall): Promise<void> {
  const { terminal, stop } = context;
  const model = await openModelDirectory(directory);
  for (const line of formatTable(describe(model))) terminal.print(line);
  if (deep) {
    const digests = await examineWeights(model, {
      signal: stop,
      onProgress: ({ stage, ...bytes }) => terminal.progress(`${stage} ${share(bytes)}`),
    });
    terminal.print("\nevery weight is finite");
    for (const { name, sha256, confirmedBy } of digests) {
      terminal.print(`${sha256}  ${name}${confirmedBy ? `, as ${confirmedBy} says` : ""}`);
    }
  }
  const memoryBytes = workerMemoryBytes();
  const choice = chooseForCpu(model, memoryBytes);
  terminal.print("\non cpu:");
  for (const line of formatTable([weightHeadings, ...describeRows(choice)])) terminal.print(line);
  terminal.print(`runs as ${explainChoice(choice, memoryBytes, { ...model, directory })}`);
  terminal.print(`on cuda: ${describeCards(parametersOf(model))}`);
}

function describe(model: ModelDirectory): string[][] {
  const { transformer, textEncoder, vae } = countParameters(model);
  const { widthDefault, pixelsMax, sizeMultiple, stepsDefault } = describeModel(model);
  const { shift } = model.scheduler;
  const member = memberOfShift(shift) ?? "another member of the family";
  const prepared = model.prepared?.source;
  const released = transformer.parameters === releasedParameterCount ? ", as released" : "";
  return [
    ["model", model.name],
    ["digest", model.digest],
    ["layout", prepared === undefined ? model.layout : `prepared from ${prepared.name}`],
    ["member", `${member}, as the scheduler's shift of ${shift} says`],
    ["transformer", `${size(transformer)}, ${model.stored}${released}`],
    ["text encoder", `${size(textEncoder)}, of which ${textEncoder.used.toLocaleString("en")} run`],
    ["autoencoder", size(vae)],
    [
      "pictures",
      `${widthDefault}x${widthDefault} in ${stepsDefault} steps by default; ` +
        `sides in multiples of ${sizeMultiple}, at most ${pixelsMax.toLocaleString("en")} pixels`,
    ],
  ];
}

function size({ tensors, parameters }: ComponentCount): string {
  return `${tensors} tensors, ${parameters.toLocaleString("en")} parameters`;
}

function share({ doneBytes, totalBytes }: { doneBytes: number; totalBytes: number }): string {
  const part = totalBytes === 0 ? 1 : doneBytes / totalBytes;
  const gigabytes = (bytes: number): string => (bytes / 1e9).toFixed(1);
  const filled = Math.round(part * 24);
  const bar = "#".repeat(filled).padEnd(24, "-");
  return `${bar} ${Math.floor(part * 100)} % of ${gigabytes(totalBytes)} GB`;
}

interface PrepareCall {
  readonly directory: string;
  readonly weights?: string | undefined;
  readonly out?: string | undefined;
}

async function prepare(
  { terminal, stop }: CommandContext,
  { directory, weights, out }: PrepareCall,
): Promise<void> {
  const mode = parseMode(weights);
  const target = out ?? `${basename((await openModelDirectory(directory)).name)}-${mode}`;
  const report = await prepareModel(directory, {
    mode,
    out: target,
    signal: stop,
    onProgress: ({ stage, ...bytes }) => terminal.progress(`${stage} ${share(bytes)}`),
  });
  if (report.resumedBytes > 0) {
    const gigabytes = (report.resumedBytes / 1e9).toFixed(1);
    terminal.note(`${gigabytes} GB were there from an earlier run and are right`);
  }
  terminal.note(`digest ${report.digest}`);
  terminal.print(report.path);
}

function parseMode(text: string | undefined): PreparedMode {
  const mode = preparedModes.find((one) => one === text);
  if (mode !== undefined) return mode;
  const given = text === undefined ? "is missing" : text;
  throw new UsageError(`--weights ${given}: must be ${preparedModes.join(", ")}`);
}

/** Settings of the object store are the services': S3_ENDPOINT and its like. */
async function fetchFromStore(
  { env, terminal, stop }: CommandContext,
  { prefix, directory }: { readonly prefix: string; readonly directory: string },
): Promise<void> {
  const reader = new EnvReader(env);
  const config = readBlobsConfig(reader);
  reader.finish();
  if (!isBlobKey(prefix)) {
    throw new UsageError(`PREFIX must be of A-Z a-z 0-9 . _ - / and end with none, got ${prefix}`);
  }
  const blobs = await openBlobStore(config, { clock: systemClock });
  try {
    const onProgress = (bytes: { doneBytes: number; totalBytes: number }): void =>
      terminal.progress(share(bytes));
    await fetchModel({ blobs, prefix, directory, stop, onProgress });
    terminal.print(directory);
  } finally {
    await blobs.close();
  }
}
