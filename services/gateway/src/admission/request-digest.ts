/** What makes two requests the same: their content, not how the answer is to be delivered. */
import { createHash } from "node:crypto";
import { CreateJobRequest, type ImageSpec, type JobRef, jobName } from "@zfarm/contract";
import type { Draft, Submission } from "../domain/validate-request.ts";

/**
 * SHA-256, hexadecimal, over what the client asked for. Images count as they came: defaults may
 * change between two tries of one request, and an absent seed stays absent.
 */
export function digestOf(draft: Draft, submission: Submission): string {
  const content = CreateJobRequest.encode({
    parent: submission.project,
    requestId: "",
    pool: submission.pool,
    displayName: draft.displayName,
    images: [...draft.images],
    validateOnly: false,
    scheduling: draft.scheduling,
  });
  return createHash("sha256").update(content.finish()).digest("hex");
}

/** Of a request to try a job's failed tasks again: which those are is the farm's to know. */
export function digestOfRetry(job: JobRef): string {
  return createHash("sha256")
    .update(`retry of ${jobName(job)}`)
    .digest("hex");
}

/** Prompts as a log may show them: their number, bytes and digest, never their text. */
export function promptFacts(images: readonly ImageSpec[]): Record<string, unknown> {
  const hash = createHash("sha256");
  let bytes = 0;
  for (const { prompt } of images) {
    hash.update(prompt);
    bytes += Buffer.byteLength(prompt);
  }
  return { images: images.length, prompt_bytes: bytes, prompt_sha256: hash.digest("hex") };
}
