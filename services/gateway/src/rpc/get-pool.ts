/** FleetService.GetPool: what a pool can do, how it is used, and how large it is to be. */
import { GetPoolRequest, type GetPoolResponse, limits } from "@zfarm/contract";
import { plainPoolPolicy, poolOf } from "../domain/pool-conduct.ts";
import { decodeRequest } from "./decode.ts";
import { findPool } from "./fleet-lookup.ts";
import type { UnaryMethod } from "./serve-call.ts";

export const getPool: UnaryMethod<GetPoolRequest, GetPoolResponse> = {
  name: "GetPool",
  decode: (bytes) => decodeRequest(GetPoolRequest, bytes),
  deadlineMs: limits.readMs,
  drain: "finish",
  abort: "answer",
  run: async ({ name }, _scope, needs) => {
    const pool = await findPool(needs, name, "name");
    const standing = await needs.broker.policies.pools.find(pool);
    const plain = { policy: plainPoolPolicy(pool), revision: 0n };
    return { pool: poolOf(standing ?? plain, await needs.pools.find(pool)) };
  },
};
