/** FleetService.ListVictims: which workers of a pool to take away first. */
import {
  defaultPool,
  ListVictimsRequest,
  type ListVictimsResponse,
  limits,
  nameRule,
  type PoolId,
  parsePoolId,
} from "@zfarm/contract";
import { Violations } from "../domain/violations.ts";
import { askLeader } from "./ask-leader.ts";
import { decodeRequest } from "./decode.ts";
import type { UnaryMethod } from "./serve-call.ts";

export const listVictims: UnaryMethod<ListVictimsRequest, ListVictimsResponse> = {
  name: "ListVictims",
  decode: (bytes) => decodeRequest(ListVictimsRequest, bytes),
  deadlineMs: limits.readMs,
  drain: "finish",
  abort: "answer",
  run: async (request, _scope, { broker }) => {
    const pool = readPool(request);
    const value = { pool, count: request.count === 0 ? 1 : request.count };
    const { victims } = await askLeader(broker, { $case: "victims", value });
    return { victims };
  },
};

function readPool({ pool: name, count }: ListVictimsRequest): PoolId {
  const violations = new Violations();
  const pool = name === "" ? defaultPool : parsePoolId(name);
  if (pool === undefined) {
    violations.add("pool", { reason: "BAD_NAME", description: `a pool is ${nameRule}` });
  }
  if (count > limits.victimsMax) {
    const description = `is ${count}; allowed are 1 to ${limits.victimsMax}, or 0 for 1`;
    violations.add("count", { reason: "OUT_OF_RANGE", description });
  }
  if (pool === undefined || violations.count > 0) throw violations.toError();
  return pool;
}
