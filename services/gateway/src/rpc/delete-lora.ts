/** LoraService.DeleteLora: no new picture can name it; tasks that were accepted go on. */
import {
  DeleteLoraRequest,
  type DeleteLoraResponse,
  FarmError,
  limits,
  nameRule,
  parseLoraVersionName,
} from "@zfarm/contract";
import { deleteLora as deleted, deleteVersion } from "../domain/lora-record.ts";
import { invalidField } from "../domain/violations.ts";
import { notFound } from "../loras/lora-registry.ts";
import { decodeRequest } from "./decode.ts";
import type { UnaryMethod } from "./serve-call.ts";

export const deleteLora: UnaryMethod<DeleteLoraRequest, DeleteLoraResponse> = {
  name: "DeleteLora",
  decode: (bytes) => decodeRequest(DeleteLoraRequest, bytes),
  deadlineMs: limits.readMs,
  drain: "finish",
  abort: "answer",
  run: async ({ name, etag }, scope, { registry, clock }) => {
    const named = parseLoraVersionName(name);
    if (named === undefined) {
      const rule = `projects/{project}/loras/{lora} or one of its /versions/{version}`;
      const description = `must be ${rule}; a name is ${nameRule}`;
      throw invalidField("name", { reason: "BAD_NAME", description });
    }
    const { version } = named;
    scope.note({ lora_id: named.lora, version });
    await registry.change(named, etag, (record) => {
      const now = new Date(clock.now());
      if (version === undefined) return deleted(record, now);
      const left = deleteVersion(record, version, now);
      if (left === undefined) throw notFound(named, version);
      if (left !== "needed") return left;
      const told = `an alias names ${version}, or it is the last version`;
      throw new FarmError("LORA_VERSION_NEEDED", told);
    });
    return {};
  },
};
