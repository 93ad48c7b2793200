/** What may be wanted of a worker, and what holds where nothing was. */
import { limits, type WorkerId, type WorkerPolicy } from "@zfarm/contract";
import { checkLine } from "./check-text.ts";
import type { Fault } from "./violations.ts";

export function plainWorkerPolicy(worker: WorkerId): WorkerPolicy {
  return { worker, draining: false };
}

/** Why a worker is locked: other operators see it in one line of a table. */
export function checkReason(reason: string): Fault | undefined {
  return checkLine(reason, limits.fleetReasonCharsMax);
}

/** When a quarantine may end; absent: when it is forgiven. */
export function checkEndTime(endTime: Date | undefined, nowMs: number): Fault | undefined {
  if (endTime === undefined) return undefined;
  const aheadMs = endTime.getTime() - nowMs;
  if (aheadMs > 0 && aheadMs <= limits.handQuarantineMsMax) return undefined;
  const days = limits.handQuarantineMsMax / 86_400_000;
  const description = `must lie ahead, by at most ${days} days; or be absent`;
  return { reason: "OUT_OF_RANGE", description };
}
