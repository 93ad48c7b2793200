/** LoraService.CheckLora: says whether a file would be accepted, and keeps nothing. */
import { CheckLoraRequest, type CheckLoraResponse, limits } from "@zfarm/contract";
import { decodeRequest } from "./decode.ts";
import { readPool } from "./read-pool.ts";
import { readHeader, receiveLora, requireArchitecture } from "./receive-lora.ts";
import type { UploadMethod } from "./serve-call.ts";

export const checkLora: UploadMethod<CheckLoraRequest, CheckLoraResponse> = {
  name: "CheckLora",
  decode: (bytes) => decodeRequest(CheckLoraRequest, bytes),
  deadlineMs: limits.loraUploadMs,
  drain: "finish",
  run: async (parts, scope, needs) => {
    const header = await readHeader(parts);
    const pool = readPool(header.pool, "header.pool");
    scope.note({ pool });
    const architecture = await requireArchitecture(needs, pool);
    const receiving = { parts, scope, order: { architecture } };
    return await receiveLora(needs, receiving, async ({ digest, report }) => ({
      sha256: digest,
      report,
    }));
  },
};
