/** FleetService.UpdatePoolPolicy: how workers of a pool are used, and how many there are to be. */
import { isDeepStrictEqual } from "node:util";
import {
  FarmError,
  limits,
  type PoolConduct,
  type PoolPolicy,
  UpdatePoolPolicyRequest,
  type UpdatePoolPolicyResponse,
} from "@zfarm/contract";
import {
  changeConduct,
  checkConduct,
  conductOf,
  plainPoolPolicy,
  readConductMask,
} from "../domain/pool-conduct.ts";
import { invalidField, Violations } from "../domain/violations.ts";
import { changeStanding } from "./change-policy.ts";
import { decodeRequest } from "./decode.ts";
import { findPool } from "./fleet-lookup.ts";
import type { UnaryMethod } from "./serve-call.ts";

export const updatePoolPolicy: UnaryMethod<UpdatePoolPolicyRequest, UpdatePoolPolicyResponse> = {
  name: "UpdatePoolPolicy",
  decode: (bytes) => decodeRequest(UpdatePoolPolicyRequest, bytes),
  deadlineMs: limits.readMs,
  drain: "finish",
  abort: "answer",
  run: async ({ conduct, updateMask }, _scope, needs) => {
    if (conduct === undefined) {
      throw invalidField("conduct", { reason: "REQUIRED", description: "must be given" });
    }
    const change = readChange(conduct, updateMask);
    const pool = await findPool(needs, conduct.name, "conduct.name");
    const standing = await changeStanding(needs.broker.policies.pools, {
      id: pool,
      initial: plainPoolPolicy(pool),
      change,
    });
    return { conduct: conductOf(standing) };
  },
};

type Change = (policy: PoolPolicy, revision: bigint) => PoolPolicy;

/** What the request makes of a policy; INVALID_REQUEST with all that is wrong with it. */
function readChange(conduct: PoolConduct, mask: readonly string[] | undefined): Change {
  const violations = new Violations();
  const paths = readConductMask(mask, conduct, violations);
  checkConduct(conduct, paths, violations);
  if (violations.count > 0) throw violations.toError();
  const { etag = "" } = conduct;
  return (policy, revision) => {
    const changed = changeConduct(policy, conduct, paths);
    // A repeated call finds its own change behind an etag that it could not know.
    const isDone = isDeepStrictEqual(changed, policy);
    if (isDone || etag === "" || etag === String(revision)) return changed;
    throw new FarmError("CONFLICT", "the policy has changed since this etag; look at it again");
  };
}
