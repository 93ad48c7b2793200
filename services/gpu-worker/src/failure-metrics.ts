/** Why attempts of this worker failed. */
import { failureReasons } from "@zfarm/contract";
import { Counter, type Registry, startAtZero } from "@zfarm/runtime";

export interface FailureMetrics {
  /** `reason` is a key of the failure table. */
  count(reason: string): void;
}

export function createFailureMetrics(registry: Registry): FailureMetrics {
  const failures = new Counter({
    name: "zfarm_attempt_failures_total",
    help: "Attempts that failed on this worker, by reason.",
    labelNames: ["reason"],
    registers: [registry],
  });
  const reasons = Object.keys(failureReasons).map((reason) => reason.toLowerCase());
  startAtZero(failures, { reason: reasons });
  return {
    count: (text) => {
      const reason = text.toLowerCase();
      failures.inc({ reason: reasons.includes(reason) ? reason : "other" });
    },
  };
}
