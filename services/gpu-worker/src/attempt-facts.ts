/** What log lines say about an attempt. */
import type { Delivery } from "./delivery.ts";
import type { HeldTask } from "./domain/held-tasks.ts";

/** What the line of an attempt's end says beside what all of them say. */
export interface EndFacts {
  /** A failure's code. */
  readonly reason?: string;
  readonly [field: string]: unknown;
}

/** Which attempt a line is about. */
export function identify(held: HeldTask): object {
  const { project, job } = held.id;
  const { attempt, fence } = held;
  return { project, job_id: job, task_id: held.key, attempt, fence: fence.toString() };
}

/** Of a picture that counts: its size, and milliseconds of each stage. */
export function describeDelivery(delivery: Delivery & { kind: "won" }): EndFacts {
  const { timings, sizeBytes } = delivery;
  return {
    size_bytes: sizeBytes,
    queue_ms: Math.round(timings.queueMs),
    text_encode_ms: Math.round(timings.textEncodeMs),
    denoise_ms: Math.round(timings.denoiseMs),
    vae_decode_ms: Math.round(timings.vaeDecodeMs),
    encode_file_ms: Math.round(timings.encodeFileMs),
    upload_ms: Math.round(timings.uploadMs),
    device_ms: Math.round(timings.deviceMs),
  };
}
