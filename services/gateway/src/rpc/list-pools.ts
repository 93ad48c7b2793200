/** FleetService.ListPools: what pools can do, how they are used, and how large they are to be. */
import { ListPoolsRequest, type ListPoolsResponse, limits } from "@zfarm/contract";
import { plainPoolPolicy, poolOf } from "../domain/pool-conduct.ts";
import { decodeRequest } from "./decode.ts";
import type { UnaryMethod } from "./serve-call.ts";

export const listPools: UnaryMethod<ListPoolsRequest, ListPoolsResponse> = {
  name: "ListPools",
  decode: (bytes) => decodeRequest(ListPoolsRequest, bytes),
  deadlineMs: limits.readMs,
  drain: "finish",
  abort: "answer",
  run: async (_request, _scope, { broker, pools: known }) => {
    const [records, stored] = await Promise.all([known.list(), broker.policies.pools.list()]);
    const recordOf = new Map(records.map((record) => [record.pool, record]));
    const policyOf = new Map(stored.map((each) => [each.policy.pool, each]));
    const names = [...new Set([...recordOf.keys(), ...policyOf.keys()])].toSorted();
    const pools = names.map((pool) => {
      const standing = policyOf.get(pool) ?? { policy: plainPoolPolicy(pool), revision: 0n };
      return poolOf(standing, recordOf.get(pool));
    });
    return { pools };
  },
};
