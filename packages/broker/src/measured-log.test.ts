import { FarmError } from "@zfarm/contract";
import { Registry } from "@zfarm/runtime";
import { describe, expect, it } from "vitest";
import { createBrokerMetrics, measureLog } from "./measured-log.ts";
import type { SubjectLog } from "./ports.ts";

const failure = new FarmError("BROKER_UNAVAILABLE", "away");

/** A log that stores everything and removes nothing. */
const log: SubjectLog = {
  name: "QUEUE",
  put: () => Promise.resolve({ kind: "stored", revision: 7n }),
  last: () => Promise.resolve(undefined),
  remove: () => Promise.reject(failure),
  removeBefore: () => Promise.resolve(),
  lastRevision: () => Promise.resolve(7n),
  follow: async function* nothing() {},
};

describe("a log that is measured", () => {
  const registry = new Registry();
  const measured = measureLog(log, "queue", createBrokerMetrics(registry));

  it("answers as before and counts each request under its operation", async () => {
    const request = { subject: "queue.a", bytes: new Uint8Array() };
    expect(await measured.put(request)).toEqual({ kind: "stored", revision: 7n });
    expect(await measured.last("queue.a")).toBeUndefined();

    const text = await registry.metrics();
    expect(text).toContain('zfarm_broker_request_seconds_count{log="queue",operation="put"} 1');
    expect(text).toContain('zfarm_broker_request_seconds_count{log="queue",operation="last"} 1');
    expect(text).toContain('zfarm_broker_errors_total{log="queue"} 0');
  });

  it("counts failures and passes them on", async () => {
    await expect(measured.remove(1n)).rejects.toBe(failure);
    expect(await registry.metrics()).toContain('zfarm_broker_errors_total{log="queue"} 1');
  });
});
