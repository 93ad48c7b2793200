/** Waits until every task has left the queue: outcomes come first, messages go a little later. */
import type { ChaosFarm } from "./chaos-farm.ts";
import { connectHarness, readQueue } from "./scan-farm.ts";
import { waitUntil } from "./wait-until.ts";

const restWithinMs = 60_000;

/** How long it took, in milliseconds; what is left then is for the checker to name. */
export async function comeToRest(farm: ChaosFarm): Promise<number> {
  const startedMs = performance.now();
  const broker = await connectHarness(farm);
  try {
    const isEmpty = async () => (await readQueue(broker)).length === 0;
    await waitUntil("the queue is empty", restWithinMs, isEmpty).catch(() => undefined);
    return Math.round(performance.now() - startedMs);
  } finally {
    await broker.drain();
  }
}
