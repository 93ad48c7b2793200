/**
 * Holds a gateway back until the farm's state is whole. A broker that was lost and made anew
 * knows none of the jobs that the object store has, and "no such job" must not be said of them.
 */
import type { Broker } from "@zfarm/broker";
import { errorTable, FarmError, limits } from "@zfarm/contract";
import type { Clock, Log } from "@zfarm/runtime";

interface Needs {
  readonly farm: Broker["farm"];
  readonly clock: Clock;
  readonly log: Log;
}

/** Returns once every manifest was compared with the streams as they are; or throws the stop. */
export async function untilRestored({ farm, clock, log }: Needs, stop: AbortSignal): Promise<void> {
  for (let look = 0; ; look += 1) {
    if (await isRestored(farm)) return;
    if (look === 0) log.info({}, "waiting for a scheduler to compare manifests with the streams");
    await clock.sleep(limits.restoredLookMs, stop);
    stop.throwIfAborted();
  }
}

/** An outage is no answer; the next look may get one. */
async function isRestored(farm: Broker["farm"]): Promise<boolean> {
  try {
    return await farm.isRestored();
  } catch (error) {
    if (!(error instanceof FarmError) || !errorTable[error.code].retry) throw error;
    return false;
  }
}
