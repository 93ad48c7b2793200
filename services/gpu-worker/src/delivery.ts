/** Brings a picture to the store and its outcome into the log: the first outcome wins. */
import { createHash } from "node:crypto";
import type { BlobStore } from "@zfarm/blobs";
import type { Broker } from "@zfarm/broker";
import { FarmError, type Outcome } from "@zfarm/contract";
import type { Clock } from "@zfarm/runtime";
import type { HeldTask } from "./domain/held-tasks.ts";
import { buildSuccess, queueMsOf, type StageTimings } from "./domain/outcome.ts";
import type { RenderTimings } from "./engine/protocol.ts";
import { type RetryOptions, retry } from "./retry.ts";

export interface DeliveryNeeds {
  readonly outcomes: Broker["outcomes"];
  readonly blobs: Pick<BlobStore, "put" | "remove">;
  readonly clock: Clock;
  readonly worker: string;
  readonly modelDigest: string;
}

export interface Picture {
  readonly png: Uint8Array;
  readonly timings: RenderTimings;
}

export type Delivery =
  | { readonly kind: "won"; readonly timings: StageTimings; readonly sizeBytes: number }
  /** Someone else ended the task first; this attempt's object is gone again. */
  | { readonly kind: "lost" }
  | { readonly kind: "upload-failed"; readonly error: FarmError }
  /** The broker could not be asked; whether the outcome counts is unknown. */
  | { readonly kind: "publish-failed"; readonly error: FarmError };

/** Uploads, then publishes; retries both until `stop` aborts or the attempts are spent. */
export async function deliver(
  needs: DeliveryNeeds,
  held: HeldTask,
  picture: Picture,
): Promise<Delivery> {
  const { outcomes, blobs, clock } = needs;
  const retrying: RetryOptions = { clock, stop: held.abandoned.signal };
  // Fixed here: a lease that is renewed during the upload must not change where it went.
  const { imageKey: key, fence } = held;
  const startedMs = clock.monotonic();
  try {
    await retry(() => blobs.put(key, picture.png, "image/png"), retrying);
  } catch (error) {
    return { kind: "upload-failed", error: FarmError.from(error) };
  }
  const uploadMs = clock.monotonic() - startedMs;
  const timings = { ...picture.timings, queueMs: queueMsOf(held), uploadMs };
  const outcome = buildSuccess(held, {
    worker: needs.worker,
    modelDigest: needs.modelDigest,
    key,
    fence,
    sha256: createHash("sha256").update(picture.png).digest("hex"),
    sizeBytes: picture.png.byteLength,
    timings,
    endMs: clock.now(),
  });
  try {
    const hasWon = await retry(() => publish(outcomes, held, outcome), retrying);
    if (hasWon) return { kind: "won", timings, sizeBytes: picture.png.byteLength };
  } catch (error) {
    // The object stays: the outcome may have been stored although its answer was not heard.
    return { kind: "publish-failed", error: FarmError.from(error) };
  }
  await removeQuietly(blobs, key);
  return { kind: "lost" };
}

/**
 * Whether the outcome that counts is this one. A publish whose answer got lost finds its own
 * outcome at the second try, and that is no defeat: the fence tells.
 */
async function publish(
  outcomes: Broker["outcomes"],
  held: HeldTask,
  outcome: Outcome,
): Promise<boolean> {
  if ((await outcomes.publish(outcome)) === "won") return true;
  const standing = await outcomes.find(held.id);
  return standing?.outcome.fence === outcome.fence && standing.outcome.worker === outcome.worker;
}

async function removeQuietly(blobs: DeliveryNeeds["blobs"], key: string): Promise<void> {
  try {
    await blobs.remove(key);
  } catch (error) {
    // No outcome points to the object, so the sweep removes it if the store cannot now.
    if (!(error instanceof FarmError)) throw error;
  }
}
