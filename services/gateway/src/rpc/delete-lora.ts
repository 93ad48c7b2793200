/** LoraService.DeleteLora: no new picture can name it; tasks that were accepted go on. */
import {
  DeleteLoraRequest,
  type DeleteLoraResponse,
  FarmError,
  type LoraRecord,
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
      throw new FarmError("LORA_VERSION_NEEDED", neededBy(record, version));
    });
    return {};
  },
};

/** Why a version cannot go, and what to do. */
function neededBy({ aliases }: LoraRecord, version: string): string {
  const named = [...aliases].filter(([, of]) => of === version).map(([alias]) => alias);
  if (named.length === 0) return `${version} is the last version; delete the adapter as a whole`;
  return `${version} has the alias ${named.join(", ")}; set it to another version first`;
}
