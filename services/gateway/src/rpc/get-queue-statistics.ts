/** FleetService.GetQueueStatistics: what waits and runs, why, and whose it is. */
import {
  GetQueueStatisticsRequest,
  type GetQueueStatisticsResponse,
  limits,
  poolName,
} from "@zfarm/contract";
import { invalidField } from "../domain/violations.ts";
import { askLeader } from "./ask-leader.ts";
import { decodeRequest } from "./decode.ts";
import { findPool } from "./fleet-lookup.ts";
import { readPool } from "./read-pool.ts";
import type { UnaryMethod } from "./serve-call.ts";

export const getQueueStatistics: UnaryMethod<
  GetQueueStatisticsRequest,
  GetQueueStatisticsResponse
> = {
  name: "GetQueueStatistics",
  decode: (bytes) => decodeRequest(GetQueueStatisticsRequest, bytes),
  deadlineMs: limits.readMs,
  drain: "finish",
  abort: "answer",
  run: async (request, _scope, needs) => {
    const projectsMax = readProjectsMax(request);
    const pool = request.pool === "" ? "" : readPool(request.pool, "pool");
    const value = { pool, projectsMax };
    const { pools } = await askLeader(needs.broker, { $case: "queueStats", value });
    // A pool that is idle since the leader began is unknown to it alone.
    if (pools.length === 0 && pool !== "") await findPool(needs, poolName(pool), "pool");
    return { pools };
  },
};

function readProjectsMax({ projectsMax }: GetQueueStatisticsRequest): number {
  const { queueProjectsMax: max } = limits;
  if (projectsMax <= max) return projectsMax || limits.queueProjectsDefault;
  const description = `is ${projectsMax}; allowed are 1 to ${max}, or 0`;
  throw invalidField("projects_max", { reason: "OUT_OF_RANGE", description });
}
