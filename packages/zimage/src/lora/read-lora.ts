/**
 * The one way from an adapter's file to an adapter: the gate that admits files and the worker that
 * uses them run the same code, so that what was admitted can be used.
 */
import { createHash } from "node:crypto";
import { ModelError } from "../errors.ts";
import type { LoraAdapter, LoraFactors } from "../networks/lora-batch.ts";
import type { LoraProduct } from "../networks/lora-kronecker.ts";
import { layOutFactors } from "../networks/lora-layout.ts";
import type { ByteSource } from "../weights/byte-source.ts";
import { readHeaderFrom, type SafetensorsHeader } from "../weights/safetensors-header.ts";
import { readAdapterMetadata } from "./adapter-metadata.ts";
import type { LoraArchitecture } from "./architecture.ts";
import { checkChange } from "./check-change.ts";
import { convertModule, type ModuleUpdate } from "./convert-module.ts";
import { groupKeys } from "./group-keys.ts";
import { type LoraLimits, loraLimits } from "./limits.ts";
import { refuseForeignFormat } from "./look-alike.ts";
import type { LoraReport } from "./lora-report.ts";
import { fileModulesOf } from "./module-names.ts";
import { checkRank, checkWork, planModule } from "./plan-modules.ts";
import { refuseLora } from "./refuse.ts";
import { ReportBuilder } from "./report-builder.ts";
import { TensorReader } from "./tensor-reader.ts";

export interface ReadLora {
  /** Its id is the file's digest. */
  readonly adapter: LoraAdapter;
  readonly report: LoraReport;
}

/**
 * The gate: checks the whole file and keeps nothing of it but one module at a time.
 * @param source of a file that nobody else can change meanwhile: it is read more than once.
 * Throws LORA_INVALID with field, value and bound for a file that cannot be used as a whole.
 */
export async function inspectLora(
  source: ByteSource,
  architecture: LoraArchitecture,
  limits: LoraLimits = loraLimits,
): Promise<LoraReport> {
  return await examine(source, { architecture, limits });
}

/** As `inspectLora`, and gives the adapter: factors in float32, ready for a transformer's batch. */
export async function readLora(
  source: ByteSource,
  architecture: LoraArchitecture,
  limits: LoraLimits = loraLimits,
): Promise<ReadLora> {
  const updates = new KeptUpdates(({ rank, down, up, scale }) => {
    return { rank, down: down.slice(), up: up.slice(), scale };
  });
  const report = await examine(source, { architecture, limits, updates });
  return { adapter: updates.adapter(report.digest), report };
}

export interface RunsOptions {
  readonly limits?: LoraLimits;
  /** The file's SHA-256 where the caller sees to it, for example on another thread. */
  readonly digest?: string;
}

/**
 * As `readLora`, with each module laid out for runs as it is read: its first step costs nothing,
 * and no more than one module is in memory twice.
 */
export async function readLoraForRuns(
  source: ByteSource,
  architecture: LoraArchitecture,
  { limits = loraLimits, digest }: RunsOptions = {},
): Promise<ReadLora> {
  const updates = new KeptUpdates(layOutFactors);
  const report = await examine(source, { architecture, limits, updates, digest });
  return { adapter: updates.adapter(report.digest), report };
}

interface Examination {
  readonly architecture: LoraArchitecture;
  readonly limits: LoraLimits;
  /** Absent: computed. */
  readonly digest?: string | undefined;
  /** Gets the update of each of the model's modules that has one; absent: none is kept. */
  readonly updates?: KeptUpdates;
}

/** What becomes an adapter. */
class KeptUpdates {
  readonly #copy: (factors: LoraFactors) => LoraFactors;
  readonly #modules = new Map<string, LoraFactors>();
  readonly #products = new Map<string, LoraProduct>();

  /** @param copy takes a pair out of memory that is used again. */
  constructor(copy: (factors: LoraFactors) => LoraFactors) {
    this.#copy = copy;
  }

  add(update: ModuleUpdate): void {
    const { target, scale } = update;
    if (update.kind === "product") {
      const { first, second, factors } = update;
      this.#products.set(target.name, { first, second, factors, scale: scale.value });
    } else {
      const { rank, down, up } = update;
      this.#modules.set(target.name, this.#copy({ rank, down, up, scale: scale.value }));
    }
  }

  adapter(id: string): LoraAdapter {
    const pairs = { id, modules: this.#modules };
    return this.#products.size === 0 ? pairs : { ...pairs, products: this.#products };
  }
}

async function examine(source: ByteSource, options: Examination): Promise<LoraReport> {
  try {
    const { header: headerLimits, fileBytesMax } = options.limits;
    if (source.size > fileBytesMax) {
      refuseLora("file", `has ${source.size} bytes; at most ${fileBytesMax}`);
    }
    await refuseForeignFormat(source);
    return await examineTensors(source, await readHeaderFrom(source, headerLimits), options);
  } catch (error) {
    // The parts that read checkpoints too speak of a model.
    if (!(error instanceof ModelError) || error.code !== "MODEL_INVALID") throw error;
    throw new ModelError("LORA_INVALID", error.message, { field: "file", cause: error });
  }
}

async function examineTensors(
  source: ByteSource,
  header: SafetensorsHeader,
  { architecture, limits, updates, digest }: Examination,
): Promise<LoraReport> {
  const grouped = groupKeys(header.tensors, fileModulesOf(architecture));
  const takesProducts = architecture.dim > limits.rankMax;
  const plans = grouped.modules.map((tensors) => planModule(tensors, { limits, takesProducts }));
  checkWork(plans, limits);
  const metadata = readAdapterMetadata(header.metadata);
  const report = new ReportBuilder(header, grouped);
  const sha256 = digest ?? (await digestOf(source));
  const reader = new TensorReader(source);
  for (const plan of plans) {
    for (const update of await convertModule({ reader, plan, metadata })) {
      report.add(update);
      if (update.rank === 0) continue;
      if (update.kind === "pair") checkRank(update.target, update.rank, limits);
      checkChange(update);
      updates?.add(update);
    }
    reader.recycle();
  }
  return report.finish(sha256, architecture);
}

const chunkBytes = 1024 * 1024;

/** SHA-256 of the whole file, in lower-case hex. */
export async function digestOf(source: ByteSource): Promise<string> {
  const hash = createHash("sha256");
  const buffer = new Uint8Array(Math.min(chunkBytes, source.size));
  for (let position = 0; position < source.size; position += chunkBytes) {
    const chunk = buffer.subarray(0, source.size - position);
    await source.read(chunk, position);
    hash.update(chunk);
  }
  return hash.digest("hex");
}
