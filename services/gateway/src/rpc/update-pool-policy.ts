/** FleetService.UpdatePoolPolicy: replaces how the workers of a pool are used. */
import { limits, UpdatePoolPolicyRequest, type UpdatePoolPolicyResponse } from "@zfarm/contract";
import { checkSpeculateAfter, conductOf, plainPoolPolicy } from "../domain/pool-conduct.ts";
import { invalidField } from "../domain/violations.ts";
import { changePolicy } from "./change-policy.ts";
import { decodeRequest } from "./decode.ts";
import { findPool } from "./fleet-lookup.ts";
import type { UnaryMethod } from "./serve-call.ts";

export const updatePoolPolicy: UnaryMethod<UpdatePoolPolicyRequest, UpdatePoolPolicyResponse> = {
  name: "UpdatePoolPolicy",
  decode: (bytes) => decodeRequest(UpdatePoolPolicyRequest, bytes),
  deadlineMs: limits.readMs,
  drain: "finish",
  abort: "answer",
  run: async ({ conduct }, _scope, needs) => {
    if (conduct === undefined) {
      throw invalidField("conduct", { reason: "REQUIRED", description: "must be given" });
    }
    const { speculateAfter } = conduct;
    const fault = checkSpeculateAfter(speculateAfter);
    if (fault !== undefined) throw invalidField("conduct.speculate_after", fault);
    const pool = await findPool(needs, conduct.name, "conduct.name");
    const policy = await changePolicy(needs.broker.policies.pools, {
      id: pool,
      initial: plainPoolPolicy(pool),
      change: (standing) => ({ ...standing, speculateAfter }),
    });
    return { conduct: conductOf(policy) };
  },
};
