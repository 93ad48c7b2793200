/** LoraService.CheckLora: says whether a file would be accepted, and keeps nothing. */
import {
  CheckLoraRequest,
  type CheckLoraResponse,
  defaultPool,
  limits,
  nameRule,
  parsePoolId,
} from "@zfarm/contract";
import { invalidField } from "../domain/violations.ts";
import { decodeRequest } from "./decode.ts";
import { readHeader, receiveLora, requireArchitecture } from "./receive-lora.ts";
import type { UploadMethod } from "./serve-call.ts";

export const checkLora: UploadMethod<CheckLoraRequest, CheckLoraResponse> = {
  name: "CheckLora",
  decode: (bytes) => decodeRequest(CheckLoraRequest, bytes),
  deadlineMs: limits.loraUploadMs,
  drain: "finish",
  run: async (parts, scope, needs) => {
    const header = await readHeader(parts);
    const pool = header.pool === "" ? defaultPool : parsePoolId(header.pool);
    if (pool === undefined) {
      throw invalidField("header.pool", { reason: "BAD_NAME", description: `must be ${nameRule}` });
    }
    scope.note({ pool });
    const architecture = await requireArchitecture(needs, pool);
    const receiving = { parts, scope, order: { architecture } };
    return await receiveLora(needs, receiving, async ({ digest, report }) => ({
      sha256: digest,
      report,
    }));
  },
};
