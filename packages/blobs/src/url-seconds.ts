/** The life of a URL, with the bounds that S3 sets. */
import { FarmError, limits } from "@zfarm/contract";

/** Throws INTERNAL: whoever asks chooses the life by configuration that is checked before. */
export function assertUrlSeconds(ttlSeconds: number): void {
  const max = limits.storeUrlSecondsMax;
  if (Number.isInteger(ttlSeconds) && ttlSeconds >= 1 && ttlSeconds <= max) return;
  throw new FarmError("INTERNAL", `a URL lives 1 to ${max} whole seconds, not ${ttlSeconds}`);
}
