/** The worker's part of the environment. */
import { randomBytes } from "node:crypto";
import { hostname, totalmem } from "node:os";
import { type Durability, readDurability } from "@zfarm/broker";
import {
  defaultPool,
  limits,
  loraRamBytesOf,
  nameRule,
  type PoolId,
  parsePoolId,
  parseWorkerId,
  type WorkerId,
} from "@zfarm/contract";
import { type Env, EnvReader, userFolder } from "@zfarm/runtime";
import type { WeightMode } from "@zfarm/zimage";

export interface GpuWorkerConfig {
  readonly worker: WorkerId;
  readonly pool: PoolId;
  /** Device class, for example "cpu". */
  readonly device: string;
  /** Of the cluster, or the machine's name: for operators. */
  readonly node: string;
  /** Threads of one run; undefined: the runtime decides. */
  readonly threads: number | undefined;
  /** Threads of a run beside the steps; undefined: prompts and pictures run between them. */
  readonly sideThreads: number | undefined;
  /** Tasks in the engine at once, and so the largest batch. */
  readonly slots: number;
  readonly modelDir: string;
  /** How weights are held; absent: what memory allows. */
  readonly weights?: WeightMode;
  /** What the model may take, beside adapters; absent: what the machine has. */
  readonly memoryBytes?: number;
  readonly loras: LoraConfig;
  readonly durability: Durability;
  /** How long it may go on after it was told to stop. */
  readonly drainGraceMs: number;
  /** Program of the engine process; absent: the engine over @zfarm/zimage. */
  readonly engineEntry?: URL;
}

/** Where adapters are kept on this machine, and how much of them. */
export interface LoraConfig {
  /** Workers of one machine may share it. */
  readonly folder: string;
  /** Nobody chose the folder: it lies where other users could have made it first. */
  readonly isDefaultFolder?: boolean;
  readonly diskBytes: number;
  /** Of the engine's memory. */
  readonly ramBytes: number;
  /** Sum of the ranks of one batch. */
  readonly ranks: number;
}

/** Slots of a worker that does not say: enough to batch, few enough not to hoard. */
const slotsDefault = 4;
const threadsMax = 256;
/** More bytes than any machine has: a typo. */
const memoryMax = 2 ** 46;
/** Listed here again: the model library itself must not be loaded into this process. */
const weightChoices = ["auto", "fp32", "bf16", "int8", "int4"] as const satisfies readonly (
  | WeightMode
  | "auto"
)[];
/** Those of the model library, for the same reason. */
const deviceNames = /^(cpu|cuda(:\d{1,2})?|webgpu)$/;
/** One adapter of the smallest rank. */
const ranksMin = 16;

/** All problems at once, as ConfigError. */
export function readGpuWorkerConfig(env: Env): GpuWorkerConfig {
  const reader = new EnvReader(env);
  const config = readGpuWorker(reader);
  reader.finish();
  return config;
}

/** The same from a reader that others read from too; its `finish` is the caller's. */
export function readGpuWorker(reader: EnvReader): GpuWorkerConfig {
  const threads = reader.integer("WORKER_THREADS", { default: 0, min: 0, max: threadsMax });
  const device = readDevice(reader);
  const sideThreads = reader.integer("WORKER_SIDE_THREADS", {
    default: sideThreadsFor(device),
    min: 0,
    max: threadsMax,
  });
  return {
    worker: readName(reader, { variable: "WORKER_ID", parse: parseWorkerId }) ?? createWorkerId(),
    pool: readName(reader, { variable: "WORKER_POOL", parse: parsePoolId }) ?? defaultPool,
    device,
    node: reader.text("WORKER_NODE", { default: hostname(), pattern: /^[\w.-]{1,253}$/ }),
    threads: threads === 0 ? undefined : threads,
    sideThreads: sideThreads === 0 ? undefined : sideThreads,
    slots: reader.integer("WORKER_SLOTS", {
      default: slotsDefault,
      min: 1,
      max: limits.batchTasksMax,
    }),
    modelDir: reader.text("MODEL_DIR"),
    ...readMemory(reader, device),
    loras: readLoras(reader),
    durability: readDurability(reader),
    drainGraceMs: reader.integer("WORKER_DRAIN_GRACE_MS", {
      default: limits.drainGraceMs,
      min: 0,
      max: limits.drainGraceMs,
    }),
  };
}

function readDevice(reader: EnvReader): string {
  const device = reader.text("WORKER_DEVICE", { default: "cpu", pattern: deviceNames });
  const isExperimenting = reader.boolean("WORKER_EXPERIMENTAL", false);
  if (device === "webgpu" && !isExperimenting) {
    reader.problem("WORKER_DEVICE=webgpu is an experiment, it needs WORKER_EXPERIMENTAL=true");
  }
  return device;
}

function readMemory(
  reader: EnvReader,
  device: string,
): Pick<GpuWorkerConfig, "weights" | "memoryBytes"> {
  const weights = reader.choice("WORKER_WEIGHTS", weightChoices, "auto");
  const memoryBytes = reader.integer("WORKER_MEMORY_BYTES", { default: 0, min: 0, max: memoryMax });
  if (device !== "cpu" && memoryBytes === 0) {
    reader.problem(`WORKER_DEVICE=${device} needs WORKER_MEMORY_BYTES, no card is asked for it`);
  }
  return {
    ...(weights === "auto" ? {} : { weights }),
    ...(memoryBytes === 0 ? {} : { memoryBytes }),
  };
}

function readLoras(reader: EnvReader): LoraConfig {
  const defaultFolder = userFolder("zfarm-loras");
  const folder = reader.text("WORKER_LORA_DIR", { default: defaultFolder });
  return {
    folder,
    isDefaultFolder: folder === defaultFolder,
    diskBytes: reader.integer("WORKER_LORA_DISK_BYTES", {
      default: limits.loraDiskBytesDefault,
      min: limits.loraPieceBytes,
      max: limits.loraDiskBytesMax,
    }),
    ramBytes: reader.integer("WORKER_LORA_RAM_BYTES", {
      default: loraRamBytesOf(memoryThere()),
      min: limits.loraPieceBytes,
      max: limits.loraRamBytesMax,
    }),
    ranks: reader.integer("WORKER_LORA_RANKS", {
      default: limits.loraRanksDefault,
      min: ranksMin,
      max: limits.loraRanksMax,
    }),
  };
}

/** Bytes of the container's limit where there is one, else of the machine. */
export function memoryThere(): number {
  // 0 where nothing is known, and beyond any memory where there is no limit.
  return Math.min(process.constrainedMemory() || totalmem(), totalmem());
}

/**
 * The steps of a large model use every core of a CPU; with CUDA the thread is there to feed the
 * device, and WebGPU has no second one. For the small model on a CPU 1 is a tenth faster:
 * docs/measurements/batching.md.
 */
function sideThreadsFor(device: string): number {
  return device.startsWith("cuda") ? 1 : 0;
}

function readName<Name>(
  reader: EnvReader,
  name: { readonly variable: string; readonly parse: (text: string) => Name | undefined },
): Name | undefined {
  const text = reader.optionalText(name.variable);
  if (text === undefined) return undefined;
  const parsed = name.parse(text);
  if (parsed === undefined) reader.problem(`${name.variable} must be ${nameRule}`);
  return parsed;
}

/** The host's name says where it runs; the random part keeps two starts apart. */
function createWorkerId(): WorkerId {
  const host = hostname()
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, 40);
  return `worker-${host}-${randomBytes(3).toString("hex")}` as WorkerId;
}
