/** FleetService.GetScalingStatus: what the autoscaler decided last for each pool, and from what. */
import { GetScalingStatusRequest, type GetScalingStatusResponse, limits } from "@zfarm/contract";
import { askLeader } from "./ask-leader.ts";
import { decodeRequest } from "./decode.ts";
import type { UnaryMethod } from "./serve-call.ts";

export const getScalingStatus: UnaryMethod<GetScalingStatusRequest, GetScalingStatusResponse> = {
  name: "GetScalingStatus",
  decode: (bytes) => decodeRequest(GetScalingStatusRequest, bytes),
  deadlineMs: limits.readMs,
  drain: "finish",
  abort: "answer",
  run: (_request, _scope, { broker }) => askLeader(broker, { $case: "scaling", value: {} }),
};
