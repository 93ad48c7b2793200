/** LoraService.UpdateLora: changes what is said of an adapter, if it is still what was seen. */
import { Lora, limits, UpdateLoraRequest, type UpdateLoraResponse } from "@zfarm/contract";
import { changeLora, checkLoraChanges, readLoraMask } from "../domain/lora-mask.ts";
import { loraView } from "../domain/lora-record.ts";
import { invalidField, Violations } from "../domain/violations.ts";
import { decodeRequest } from "./decode.ts";
import { readLoraName } from "./lora-lookup.ts";
import type { UnaryMethod } from "./serve-call.ts";

export const updateLora: UnaryMethod<UpdateLoraRequest, UpdateLoraResponse> = {
  name: "UpdateLora",
  decode: (bytes) => decodeRequest(UpdateLoraRequest, bytes),
  deadlineMs: limits.readMs,
  drain: "finish",
  abort: "answer",
  run: async ({ lora = Lora.create({}), updateMask }, scope, { registry }) => {
    const name = readLoraName(lora.name, "lora.name");
    scope.note({ lora_id: name.lora });
    const violations = new Violations();
    const fields = readLoraMask(updateMask, violations);
    checkLoraChanges(lora, fields, violations);
    if (violations.count > 0) throw violations.toError();
    const { record, revision } = await registry.change(name, lora.etag, (standing) => {
      const changed = changeLora(standing, lora, fields);
      if ("reason" in changed) throw invalidField("lora.aliases", changed);
      return changed;
    });
    return { lora: loraView(record, revision) };
  },
};
