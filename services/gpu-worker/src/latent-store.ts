/**
 * What was done of a task that a stopping worker gives back: into the object store, and out again
 * for the worker that goes on. Nothing here is needed for a picture, so nothing here ever fails:
 * what is missing, late or does not fit means that the task begins at step 0.
 */
import { createHash } from "node:crypto";
import type { BlobStore } from "@zfarm/blobs";
import {
  FarmError,
  ImageSpec,
  type LatentCheckpoint,
  LoraStack,
  latentsKey,
  limits,
} from "@zfarm/contract";
import type { Clock, Log } from "@zfarm/runtime";
import type { HeldTask } from "./domain/held-tasks.ts";
import type { EngineInfo, Resume } from "./engine/protocol.ts";
import type { ResumeResult, WorkerMetrics } from "./metrics.ts";

export interface LatentStoreNeeds {
  readonly blobs: Pick<BlobStore, "put" | "get">;
  readonly model: Pick<EngineInfo, "digest" | "weights">;
  /** As the worker is told, for example "cpu" or "cuda:1". */
  readonly device: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: WorkerMetrics;
}

const bytesPerValue = 4;

export class LatentStore {
  readonly #needs: LatentStoreNeeds;
  /** What a step's bits depend on besides the model's files and the task. */
  readonly #computedAs: string;

  constructor(needs: LatentStoreNeeds) {
    this.#needs = needs;
    // Which of the devices of a class it is does not matter.
    this.#computedAs = `${needs.device.replace(/:\d+$/, "")} ${needs.model.weights}`;
  }

  /** Stores it; undefined where the store does not take it in time. */
  async keep(held: HeldTask, { step, latents }: Resume): Promise<LatentCheckpoint | undefined> {
    const { blobs, model } = this.#needs;
    const bytes = toBytes(latents);
    if (bytes.byteLength > limits.latentBytesMax) return undefined;
    const key = latentsKey(held.id, held.fence);
    const put = async (): Promise<true> => {
      await blobs.put(key, bytes, "application/octet-stream");
      return true;
    };
    const isStored = await this.#inTime(held, put);
    if (isStored === undefined) return undefined;
    return {
      key,
      sha256: digestOf(bytes),
      sizeBytes: bytes.byteLength,
      step,
      modelDigest: model.digest,
      device: this.#computedAs,
      specDigest: specDigestOf(held),
    };
  }

  /** What to go on from; undefined where the task begins anew. */
  async load(held: HeldTask, latents: LatentCheckpoint): Promise<Resume | undefined> {
    const [result, resume] = await this.#load(held, latents);
    const { log, metrics } = this.#needs;
    metrics.resumesTotal.inc({ result });
    const fields = { task_id: held.key, result, step: latents.step, key: latents.key };
    log.info(fields, resume === undefined ? "task begins anew" : "task goes on where it was left");
    return resume;
  }

  async #load(
    held: HeldTask,
    { key, sha256, sizeBytes, step, ...made }: LatentCheckpoint,
  ): Promise<[ResumeResult, Resume?]> {
    const { blobs, model } = this.#needs;
    const isSame = made.modelDigest === model.digest && made.device === this.#computedAs;
    if (!isSame || made.specDigest !== specDigestOf(held)) return ["mismatch"];
    if (step < 1 || step >= held.image.steps) return ["mismatch"];
    if (sizeBytes > limits.latentBytesMax) return ["mismatch"];
    const bytes = await this.#inTime(held, () => blobs.get(key));
    if (bytes === undefined) return ["missing"];
    if (bytes.byteLength !== sizeBytes || digestOf(bytes) !== sha256) return ["damaged"];
    return ["resumed", { step, latents: toFloats(bytes) }];
  }

  /** What the store gives; undefined where it fails or takes too long. */
  async #inTime<T>(held: HeldTask, work: () => Promise<T>): Promise<T | undefined> {
    const { clock, log } = this.#needs;
    const done = new AbortController();
    const tooLate = clock.sleep(limits.latentsMs, done.signal).then(() => undefined);
    try {
      return await Promise.race([work(), tooLate]);
    } catch (error) {
      if (!(error instanceof FarmError)) throw error;
      log.warn({ task_id: held.key, error }, "store did not help with the latents of a task");
      return undefined;
    } finally {
      done.abort();
    }
  }
}

/** The bytes of float32, little-endian as every machine that this runs on has them. */
function toBytes(latents: Float32Array): Uint8Array {
  return new Uint8Array(latents.buffer, latents.byteOffset, latents.byteLength);
}

function toFloats(bytes: Uint8Array): Float32Array {
  const { buffer } = Uint8Array.from(bytes);
  return new Float32Array(buffer, 0, Math.floor(bytes.byteLength / bytesPerValue));
}

function digestOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Of all that decides about a picture but the model. */
function specDigestOf({ image, spec }: HeldTask): string {
  const hash = createHash("sha256").update(ImageSpec.encode(image).finish());
  return hash.update(LoraStack.encode(spec.stack ?? { adapters: [] }).finish()).digest("hex");
}
