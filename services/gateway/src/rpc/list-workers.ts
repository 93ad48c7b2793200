/** FleetService.ListWorkers: only the leader knows them. */
import {
  ListWorkersRequest,
  type ListWorkersResponse,
  limits,
  nameRule,
  parseFleetName,
  parsePoolId,
  WorkerState,
} from "@zfarm/contract";
import { invalidField } from "../domain/violations.ts";
import { askLeader } from "./ask-leader.ts";
import { decodeRequest } from "./decode.ts";
import type { UnaryMethod } from "./serve-call.ts";

export const listWorkers: UnaryMethod<ListWorkersRequest, ListWorkersResponse> = {
  name: "ListWorkers",
  decode: (bytes) => decodeRequest(ListWorkersRequest, bytes),
  deadlineMs: limits.readMs,
  drain: "finish",
  abort: "answer",
  run: async (request, _scope, { broker }) => {
    if (request.pool !== "" && parsePoolId(request.pool) === undefined) {
      throw invalidField("pool", { reason: "BAD_NAME", description: `a pool is ${nameRule}` });
    }
    if (request.name !== undefined && parseFleetName(request.name)?.kind !== "worker") {
      const description = `must be workers/{worker}; a worker is ${nameRule}`;
      throw invalidField("name", { reason: "BAD_NAME", description });
    }
    checkPage(request);
    checkState(request);
    return await askLeader(broker, { $case: "listWorkers", value: request });
  },
};

function checkState({ state }: ListWorkersRequest): void {
  if (state === undefined || (state >= WorkerState.STARTING && state <= WorkerState.LOCKED)) return;
  const description = `is ${state}; allowed are ${WorkerState.STARTING} to ${WorkerState.LOCKED}`;
  throw invalidField("state", { reason: "OUT_OF_RANGE", description });
}

/** The token of a page is the name of the worker that ends the one before. */
function checkPage({ pageSize = limits.pageSizeMax, pageToken }: ListWorkersRequest): void {
  const max = limits.pageSizeMax;
  if (pageSize < 1 || pageSize > max) {
    const description = `is ${pageSize}; allowed are 1 to ${max}`;
    throw invalidField("page_size", { reason: "OUT_OF_RANGE", description });
  }
  if (pageToken === undefined || parseFleetName(pageToken)?.kind === "worker") return;
  const description = "must be a next_page_token that a listing of workers returned";
  throw invalidField("page_token", { reason: "BAD_TOKEN", description });
}
