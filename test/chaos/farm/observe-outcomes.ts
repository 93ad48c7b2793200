/** Writes the moment of every outcome into the history of a farm, through the broker's deaths. */
import type { ChaosFarm } from "./chaos-farm.ts";
import { connectHarness } from "./scan-farm.ts";

/** The result ends it. */
export async function observeOutcomes(farm: ChaosFarm): Promise<() => Promise<void>> {
  const broker = await connectHarness(farm);
  const stop = new AbortController();
  const { history } = farm;
  const following = (async () => {
    for await (const followed of broker.outcomes.follow({ after: 0n, stop: stop.signal })) {
      if (followed.kind === "caught-up") continue;
      for (const { outcome } of followed.entries) {
        const { job = "", index = -1 } = outcome.spec ?? {};
        history.events.push({ atMs: history.now(), kind: "outcome", job, index });
      }
    }
  })();
  return async () => {
    stop.abort();
    await following;
    await broker.drain();
  };
}
