/** What a drained broker answers, whichever it is. */
import { FarmError } from "@zfarm/contract";

export function drainedReason(): FarmError {
  return new FarmError("BROKER_UNAVAILABLE", "the broker is drained");
}
