/** Waits for the one thing that no waiting heals: the broker's state is gone. */
import { FarmError } from "@zfarm/contract";

/** Returns when `stop` aborts; rejects when `ended` aborts with STATE_LOST. */
export function untilLost(ended: AbortSignal, stop: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const look = (): void => {
      const reason = ended.aborted ? FarmError.from(ended.reason) : undefined;
      if (reason?.code === "STATE_LOST") reject(reason);
    };
    const listening = { once: true, signal: stop };
    ended.addEventListener("abort", look, listening);
    stop.addEventListener("abort", () => resolve(), { once: true });
    look();
    if (stop.aborted) resolve();
  });
}
