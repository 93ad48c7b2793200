/** LoraService.GetLora: an adapter with its versions. */
import { GetLoraRequest, type GetLoraResponse, limits } from "@zfarm/contract";
import { loraView } from "../domain/lora-record.ts";
import { decodeRequest } from "./decode.ts";
import { readLoraName } from "./lora-lookup.ts";
import type { UnaryMethod } from "./serve-call.ts";

export const getLora: UnaryMethod<GetLoraRequest, GetLoraResponse> = {
  name: "GetLora",
  decode: (bytes) => decodeRequest(GetLoraRequest, bytes),
  deadlineMs: limits.readMs,
  drain: "finish",
  abort: "answer",
  run: async ({ name }, _scope, { registry }) => {
    const { record, revision } = await registry.find(readLoraName(name, "name"));
    return { lora: loraView(record, revision) };
  },
};
