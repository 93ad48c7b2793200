/** Tells the workers, again and again, that somebody wishes to see previews of a job. */
import { type JobRef, limits } from "@zfarm/contract";
import type { GatewayNeeds } from "../needs.ts";

/** Wishes at once and until `stop` aborts; workers forget it a few seconds later. */
export async function wishPreviews(
  { broker, clock }: Pick<GatewayNeeds, "broker" | "clock">,
  job: JobRef,
  stop: AbortSignal,
): Promise<void> {
  while (!stop.aborted) {
    broker.progress.wishPreviews(job);
    await clock.sleep(limits.previewWishEveryMs, stop);
  }
}
