/** Measures what a process asks of the broker's logs; nothing else about them changes. */
import { Counter, Histogram, type Registry, startAtZero } from "@zfarm/runtime";
import type { BrokerLogs } from "./assemble-broker.ts";
import type { SubjectLog } from "./ports.ts";

/** Seconds: from a write to a server beside us to one that waited for a new connection. */
const secondsBuckets = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10];

/** What is asked for tasks; anything else is rare. */
const operations = ["put", "last", "remove"] as const;
type Operation = (typeof operations)[number];

export type BrokerLogName = keyof BrokerLogs;

const names: Readonly<Record<BrokerLogName, true>> = {
  queue: true,
  outcomes: true,
  controls: true,
  policies: true,
  jobs: true,
  pools: true,
  loras: true,
  farm: true,
  leases: true,
};

export interface BrokerMetrics {
  readonly seconds: Histogram<"log" | "operation">;
  readonly errors: Counter<"log">;
  readonly disconnects: Counter;
}

export function createBrokerMetrics(registry: Registry): BrokerMetrics {
  const registers = [registry];
  const errors = new Counter({
    name: "zfarm_broker_errors_total",
    help: "Requests to a log of the broker that failed for good; conflicts are answers.",
    labelNames: ["log"],
    registers,
  });
  startAtZero(errors, { log: Object.keys(names) });
  return {
    seconds: new Histogram({
      name: "zfarm_broker_request_seconds",
      help: "Time of a request to a log of the broker, its repetitions included, by operation.",
      labelNames: ["log", "operation"],
      buckets: secondsBuckets,
      registers,
    }),
    errors,
    disconnects: new Counter({
      name: "zfarm_broker_disconnects_total",
      help: "Times the connection to the broker broke.",
      registers,
    }),
  };
}

export function measureLog(log: SubjectLog, name: BrokerLogName, to: BrokerMetrics): SubjectLog {
  const timed = async <T>(operation: Operation, asking: Promise<T>): Promise<T> => {
    const end = to.seconds.startTimer({ log: name, operation });
    try {
      return await asking;
    } catch (error) {
      to.errors.inc({ log: name });
      throw error;
    } finally {
      end();
    }
  };
  return {
    name: log.name,
    put: (request) => timed("put", log.put(request)),
    last: (subject) => timed("last", log.last(subject)),
    remove: (revision) => timed("remove", log.remove(revision)),
    removeBefore: (...asked) => log.removeBefore(...asked),
    lastRevision: () => log.lastRevision(),
    follow: (request) => log.follow(request),
  };
}
