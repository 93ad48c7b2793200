/** LoraService.GetLoraResidency: only the leader knows what workers hold. */
import { GetLoraResidencyRequest, type GetLoraResidencyResponse, limits } from "@zfarm/contract";
import { askLeader } from "./ask-leader.ts";
import { decodeRequest } from "./decode.ts";
import { findLora } from "./find-lora.ts";
import type { UnaryMethod } from "./serve-call.ts";

export const getLoraResidency: UnaryMethod<GetLoraResidencyRequest, GetLoraResidencyResponse> = {
  name: "GetLoraResidency",
  decode: (bytes) => decodeRequest(GetLoraResidencyRequest, bytes),
  deadlineMs: limits.readMs,
  drain: "finish",
  abort: "answer",
  run: async (request, _scope, needs) => {
    const { project, pool, ref } = await findLora(needs, request);
    const value = { project, pool, digest: ref.digest };
    return await askLeader(needs.broker, { $case: "loraResidency", value });
  },
};
