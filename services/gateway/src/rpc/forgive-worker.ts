/** FleetService.ForgiveWorker: its failures up to now are forgotten, and it leaves quarantine. */
import { ForgiveWorkerRequest, type ForgiveWorkerResponse, limits } from "@zfarm/contract";
import { invalidField } from "../domain/violations.ts";
import { changePolicy } from "./change-policy.ts";
import { decodeRequest } from "./decode.ts";
import { findFleet } from "./fleet-lookup.ts";
import type { UnaryMethod } from "./serve-call.ts";

export const forgiveWorker: UnaryMethod<ForgiveWorkerRequest, ForgiveWorkerResponse> = {
  name: "ForgiveWorker",
  decode: (bytes) => decodeRequest(ForgiveWorkerRequest, bytes),
  deadlineMs: limits.readMs,
  drain: "finish",
  abort: "answer",
  run: async ({ name }, _scope, needs) => {
    const ref = await findFleet(needs, name);
    if (ref.kind !== "worker") {
      const description = "must be workers/{worker}: pools have no failures of their own";
      throw invalidField("name", { reason: "BAD_NAME", description });
    }
    await changePolicy(needs.broker.policies.workers, {
      id: ref.worker,
      initial: { worker: ref.worker, draining: false, forgiveTime: undefined },
      change: (policy) => ({ ...policy, forgiveTime: new Date(needs.clock.now()) }),
    });
    return {};
  },
};
