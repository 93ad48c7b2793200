/** Works through a list with a bounded number of requests on their way at once. */

/**
 * Runs `work` for every item, at most `parallel` at a time. After the first failure no further
 * item is begun, those on their way are waited for, and the failure is thrown.
 */
export async function forEachBounded<Item>(
  items: Iterable<Item> | AsyncIterable<Item>,
  parallel: number,
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const isStream = Symbol.asyncIterator in items;
  const queue = isStream ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
  const lanes = Array.isArray(items) ? Math.min(parallel, items.length) : parallel;
  let failed = false;
  const lane = async (): Promise<void> => {
    try {
      for (let next = await queue.next(); next.done !== true; next = await queue.next()) {
        if (failed) return;
        await work(next.value);
      }
    } catch (error) {
      failed = true;
      throw error;
    }
  };
  const results = await Promise.allSettled(Array.from({ length: lanes }, lane));
  await queue.return?.();
  const failure = results.find((result) => result.status === "rejected");
  if (failure !== undefined) throw failure.reason;
}
