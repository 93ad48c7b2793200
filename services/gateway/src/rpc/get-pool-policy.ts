/** FleetService.GetPoolPolicy: how the workers of a pool are used. */
import { GetPoolPolicyRequest, type GetPoolPolicyResponse, limits } from "@zfarm/contract";
import { conductOf, plainPoolPolicy } from "../domain/pool-conduct.ts";
import { decodeRequest } from "./decode.ts";
import { findPool } from "./fleet-lookup.ts";
import type { UnaryMethod } from "./serve-call.ts";

export const getPoolPolicy: UnaryMethod<GetPoolPolicyRequest, GetPoolPolicyResponse> = {
  name: "GetPoolPolicy",
  decode: (bytes) => decodeRequest(GetPoolPolicyRequest, bytes),
  deadlineMs: limits.readMs,
  drain: "finish",
  abort: "answer",
  run: async ({ name }, _scope, needs) => {
    const pool = await findPool(needs, name, "name");
    const standing = await needs.broker.policies.pools.find(pool);
    return { conduct: conductOf(standing ?? { policy: plainPoolPolicy(pool), revision: 0n }) };
  },
};
