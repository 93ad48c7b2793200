/** LoraService.PrefetchLora: the leader has workers fetch it; it knows who has what. */
import { limits, PrefetchLoraRequest, type PrefetchLoraResponse } from "@zfarm/contract";
import { invalidField } from "../domain/violations.ts";
import { askLeader } from "./ask-leader.ts";
import { decodeRequest } from "./decode.ts";
import { findLora } from "./find-lora.ts";
import type { UnaryMethod } from "./serve-call.ts";

export const prefetchLora: UnaryMethod<PrefetchLoraRequest, PrefetchLoraResponse> = {
  name: "PrefetchLora",
  decode: (bytes) => decodeRequest(PrefetchLoraRequest, bytes),
  deadlineMs: limits.readMs,
  drain: "finish",
  abort: "answer",
  run: async (request, scope, needs) => {
    checkWorkers(request.workers);
    const { project, pool, ref: lora } = await findLora(needs, request);
    scope.note({ pool, sha256: lora.digest });
    const value = { project, pool, lora, workers: request.workers || 1 };
    return await askLeader(needs.broker, { $case: "prefetch", value });
  },
};

function checkWorkers(workers: number): void {
  const max = limits.prefetchWorkersMax;
  if (workers <= max) return;
  const description = `is ${workers}; allowed are 1 to ${max}, or 0 for 1`;
  throw invalidField("workers", { reason: "OUT_OF_RANGE", description });
}
