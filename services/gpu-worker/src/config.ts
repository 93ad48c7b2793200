/** The worker's part of the environment. */
import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { type Durability, readDurability } from "@zfarm/broker";
import {
  defaultPool,
  limits,
  nameRule,
  type PoolId,
  parsePoolId,
  parseWorkerId,
  type WorkerId,
} from "@zfarm/contract";
import { type Env, EnvReader } from "@zfarm/runtime";

export interface GpuWorkerConfig {
  readonly worker: WorkerId;
  readonly pool: PoolId;
  /** Device class, for example "cpu". */
  readonly device: string;
  /** Threads of one run; undefined: the runtime decides. */
  readonly threads: number | undefined;
  /** Tasks in the engine at once, and so the largest batch. */
  readonly slots: number;
  readonly modelDir: string;
  readonly durability: Durability;
  /** Program of the engine process; absent: the engine over @zfarm/zimage. */
  readonly engineEntry?: URL;
}

/** Slots of a worker that does not say: enough to batch, few enough not to hoard. */
const slotsDefault = 4;
const threadsMax = 256;

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
  return {
    worker: readName(reader, { variable: "WORKER_ID", parse: parseWorkerId }) ?? createWorkerId(),
    pool: readName(reader, { variable: "WORKER_POOL", parse: parsePoolId }) ?? defaultPool,
    device: reader.text("WORKER_DEVICE", { default: "cpu", pattern: /^[a-z]+(:\d+)?$/ }),
    threads: threads === 0 ? undefined : threads,
    slots: reader.integer("WORKER_SLOTS", {
      default: slotsDefault,
      min: 1,
      max: limits.batchTasksMax,
    }),
    modelDir: reader.text("MODEL_DIR"),
    durability: readDurability(reader),
  };
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
