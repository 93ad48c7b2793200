/** JobService.ExplainJob: why its waiting tasks wait, grouped by reason. */
import {
  ExplainJobRequest,
  type ExplainJobResponse,
  type Explanation,
  limits,
} from "@zfarm/contract";
import type { GatewayNeeds } from "../needs.ts";
import { askLeader } from "./ask-leader.ts";
import { decodeRequest } from "./decode.ts";
import { type FoundJob, findJob, viewJob } from "./job-lookup.ts";
import type { UnaryMethod } from "./serve-call.ts";

export const explainJob: UnaryMethod<ExplainJobRequest, ExplainJobResponse> = {
  name: "ExplainJob",
  decode: (bytes) => decodeRequest(ExplainJobRequest, bytes),
  deadlineMs: limits.readMs,
  drain: "finish",
  abort: "answer",
  run: async ({ name }, scope, needs) => {
    const found = await findJob(needs, name, "name");
    scope.note({ job_id: found.ref.job });
    const { counts } = await viewJob(needs, found);
    const isWaiting = (counts?.pending ?? 0) > 0;
    return { counts, explanations: isWaiting ? await explain(needs, found) : [] };
  },
};

async function explain({ broker }: GatewayNeeds, { ref }: FoundJob): Promise<Explanation[]> {
  const { explanations } = await askLeader(broker, { $case: "explain", value: { ...ref } });
  return explanations.toSorted((a, b) => b.tasks - a.tasks);
}
