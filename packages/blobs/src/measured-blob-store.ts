/** Measures what a process asks of the object store; nothing else about the store changes. */
import { Counter, Histogram, type Registry, startAtZero } from "@zfarm/runtime";
import type { BlobStore } from "./blob-store.ts";

/** Seconds: from a folder in the page cache to a large adapter over a slow network. */
const secondsBuckets = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100];

/** What is asked of it; links are signed without asking, and lists are long or short. */
const operations = ["put", "create", "put_file", "get", "get_range", "stat", "remove"] as const;
type Operation = (typeof operations)[number];

export function measureBlobStore(store: BlobStore, registry: Registry): BlobStore {
  const { seconds, errors } = createStoreMetrics(registry);
  const timed = async <T>(operation: Operation, asking: Promise<T>): Promise<T> => {
    const end = seconds.startTimer({ operation });
    try {
      return await asking;
    } catch (error) {
      errors.inc({ operation });
      throw error;
    } finally {
      end();
    }
  };
  return {
    kind: store.kind,
    put: (...told) => timed("put", store.put(...told)),
    create: (...told) => timed("create", store.create(...told)),
    putFile: (...told) => timed("put_file", store.putFile(...told)),
    get: (key) => timed("get", store.get(key)),
    getRange: (...asked) => timed("get_range", store.getRange(...asked)),
    stat: (key) => timed("stat", store.stat(key)),
    remove: (key) => timed("remove", store.remove(key)),
    list: (...asked) => store.list(...asked),
    url: (...asked) => store.url(...asked),
    problem: () => store.problem(),
    close: () => store.close(),
  };
}

function createStoreMetrics(registry: Registry) {
  const labelNames = ["operation"] as const;
  const registers = [registry];
  const errors = new Counter({
    name: "zfarm_store_errors_total",
    help: "Requests to the object store that failed for good, by operation.",
    labelNames,
    registers,
  });
  startAtZero(errors, { operation: operations });
  const seconds = new Histogram({
    name: "zfarm_store_request_seconds",
    help: "Time of a request to the object store, its repetitions included, by operation.",
    labelNames,
    buckets: secondsBuckets,
    registers,
  });
  return { seconds, errors };
}
