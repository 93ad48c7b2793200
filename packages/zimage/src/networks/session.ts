/** The engine behind the three networks: the only importer of onnxruntime-node. */
import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import { arch, env, platform } from "node:process";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { ModelError } from "../errors.ts";
import { invariant } from "../invariant.ts";
import type { Device } from "./device.ts";

// Builds for Linux otherwise keep notes on every session below the home folder, with the program's
// path and a name for the machine, and send them to their maker. Read when the first one opens.
env["ORT_DISABLE_TELEMETRY"] = "1";

/**
 * More threads would cut products of 32 rows into single rows, for which the matrix library has
 * another order of summation; results would then depend on the batch.
 */
const threadsMax = 16;

export interface EngineOptions {
  /** Threads of one run; as many as the machine has cores when absent, and never over 16. */
  readonly threads?: number;
  /** The processor when absent. */
  readonly target?: Device;
  /**
   * Whether nodes that the device has no kernel for may run on the processor. When absent they may,
   * but for WebGPU, which has kernels for little.
   */
  readonly fallback?: boolean;
}

/** What a run is fed with, by input name. The data is read in place during the run. */
export type Feeds = Readonly<Record<string, Feed>>;

export interface Feed {
  readonly data: Float32Array | BigInt64Array | Uint8Array;
  readonly dims: readonly number[];
}

export interface Session {
  /**
   * Runs the graph and gives its only output. The call blocks the JavaScript thread while it
   * computes and cannot be interrupted. Throws ENGINE_FAILED, or MEMORY_EXCEEDED.
   */
  run(feeds: Feeds): Promise<Float32Array>;
  close(): Promise<void>;
}

/**
 * Loads a model given as bytes; its weights are mapped from files below `folder`.
 * Throws ENGINE_FAILED, for example when a weight file is shorter than its header says.
 */
export async function openSession(
  model: Uint8Array,
  folder: string,
  options: EngineOptions = {},
): Promise<Session> {
  const threads = Math.min(options.threads ?? availableParallelism(), threadsMax);
  const { target, fallback = target?.kind !== "webgpu" } = options;
  const session = await guard("load", () =>
    InferenceSession.create(model, {
      executionProviders: [providerOf(target)],
      graphOptimizationLevel: "all",
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      // Failures are thrown; the log would only repeat them on stderr.
      logSeverityLevel: 4,
      extra: {
        session: {
          model_external_initializers_file_folder_path: folder,
          ...(fallback ? {} : { disable_cpu_ep_fallback: "1" }),
          // Idle threads must not burn the cores that the rest of the worker needs.
          intra_op: { allow_spinning: "0" },
        },
      },
    }),
  );
  return new OnnxSession(session);
}

function providerOf(device: Device = { kind: "cpu" }): InferenceSession.ExecutionProviderConfig {
  if (device.kind === "cuda") return { name: "cuda", deviceId: device.id };
  // The other layout would add arithmetic with sizes, which only the processor has kernels for.
  if (device.kind === "webgpu") return { name: "webgpu", preferredLayout: "NCHW" };
  return "cpu";
}

/** The folder of the runtime's libraries, where those of graphics cards belong too. */
export function engineFolder(): string {
  const entry = createRequire(import.meta.url).resolve("onnxruntime-node");
  return join(dirname(dirname(entry)), "bin/napi-v6", platform, arch);
}

class OnnxSession implements Session {
  readonly #session: InferenceSession;

  constructor(session: InferenceSession) {
    this.#session = session;
  }

  async run(feeds: Feeds): Promise<Float32Array> {
    const tensors: Record<string, Tensor> = {};
    for (const [name, feed] of Object.entries(feeds)) tensors[name] = toTensor(feed);
    const results = await guard("run", () => this.#session.run(tensors));
    const data = Object.values(results)[0]?.data;
    invariant(data instanceof Float32Array, "a graph has one output, of float32");
    return data;
  }

  async close(): Promise<void> {
    await this.#session.release();
  }
}

function toTensor({ data, dims }: Feed): Tensor {
  if (data instanceof Float32Array) return new Tensor("float32", data, dims);
  if (data instanceof BigInt64Array) return new Tensor("int64", data, dims);
  return new Tensor("bool", data, dims);
}

/** What the runtime, its allocators and JavaScript say when there is no memory left. */
const outOfMemory = /out of memory|failed to allocate|bad.?alloc|allocation failed/i;

async function guard<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const code = outOfMemory.test(reason) ? "MEMORY_EXCEEDED" : "ENGINE_FAILED";
    throw new ModelError(code, `the engine could not ${what} a model: ${reason}`, { cause });
  }
}
