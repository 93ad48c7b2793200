/** Reads the farm again and again, and tells what is known of it after each reading. */
import { FarmError } from "@zfarm/contract";
import type { Clock } from "@zfarm/runtime";
import type { FarmPicture } from "./farm-picture.ts";
import type { TopState } from "./frame.ts";

export interface FarmWatch {
  readonly address: string;
  readonly clock: Clock;
  readonly read: (signal: AbortSignal) => Promise<FarmPicture>;
  readonly show: (state: TopState) => void;
}

const everyMs = 1_000;
/** A large farm takes long to read: at most a fifth of the time goes into that. */
const restShare = 4;

/** Until `stop` aborts. A farm that does not answer is asked again; what was known stays shown. */
export async function watchFarm(watch: FarmWatch, stop: AbortSignal): Promise<void> {
  const { address, clock } = watch;
  let picture: FarmPicture | undefined;
  while (!stop.aborted) {
    const startedMs = clock.monotonic();
    let problem: string | undefined;
    try {
      picture = await watch.read(stop);
    } catch (error) {
      if (stop.aborted) return;
      const failure = FarmError.from(error);
      problem = `${failure.message} (${failure.code})`;
    }
    watch.show({ address, nowMs: clock.now(), picture, problem });
    const tookMs = clock.monotonic() - startedMs;
    await clock.sleep(Math.max(everyMs - tookMs, tookMs * restShare), stop);
  }
}
