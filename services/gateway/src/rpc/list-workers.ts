/** FleetService.ListWorkers: only the leader knows them. */
import {
  FarmError,
  ListWorkersRequest,
  type ListWorkersResponse,
  limits,
  nameRule,
  parsePoolId,
} from "@zfarm/contract";
import { invalidField } from "../domain/violations.ts";
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
    const query = { $case: "listWorkers", value: request } as const;
    const { reply } = await broker.queries.ask({ query });
    if (reply?.$case === "listWorkers") return reply.value;
    throw new FarmError("INTERNAL", `the leader answered ${reply?.$case ?? "nothing"}`);
  },
};
