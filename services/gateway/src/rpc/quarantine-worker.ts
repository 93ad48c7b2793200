/** FleetService.QuarantineWorker: put aside by hand, until a time or until it is forgiven. */
import { limits, QuarantineWorkerRequest, type QuarantineWorkerResponse } from "@zfarm/contract";
import { Violations } from "../domain/violations.ts";
import { checkEndTime, checkReason } from "../domain/worker-conduct.ts";
import { changeWorker } from "./change-worker.ts";
import { decodeRequest } from "./decode.ts";
import type { UnaryMethod } from "./serve-call.ts";

export const quarantineWorker: UnaryMethod<QuarantineWorkerRequest, QuarantineWorkerResponse> = {
  name: "QuarantineWorker",
  decode: (bytes) => decodeRequest(QuarantineWorkerRequest, bytes),
  deadlineMs: limits.readMs,
  drain: "finish",
  abort: "answer",
  run: async ({ name, reason, endTime }, _scope, needs) => {
    checkRequest({ reason, endTime }, needs.clock.now());
    await changeWorker(needs, name, (policy) => ({ ...policy, quarantine: { reason, endTime } }));
    return {};
  },
};

function checkRequest(
  { reason, endTime }: Pick<QuarantineWorkerRequest, "reason" | "endTime">,
  nowMs: number,
): void {
  const violations = new Violations();
  const isBlank = reason.trim() === "";
  violations.add(
    "reason",
    isBlank ? { reason: "REQUIRED", description: "must say what is wrong" } : checkReason(reason),
  );
  violations.add("end_time", checkEndTime(endTime, nowMs));
  if (violations.count > 0) throw violations.toError();
}
