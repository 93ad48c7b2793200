/** LoraService.UploadLora: OK means that the file is stored and its version can be named. */
import {
  type LoraDigest,
  limits,
  loraKey,
  UploadLoraRequest,
  type UploadLoraResponse,
} from "@zfarm/contract";
import { loraView, type NewVersion } from "../domain/lora-record.ts";
import { readUploadHeader, type UploadOrder } from "../domain/lora-upload.ts";
import type { GatewayNeeds } from "../needs.ts";
import { decodeRequest } from "./decode.ts";
import { type GoodFile, readHeader, receiveLora, requireArchitecture } from "./receive-lora.ts";
import type { UploadMethod } from "./serve-call.ts";

export const uploadLora: UploadMethod<UploadLoraRequest, UploadLoraResponse> = {
  name: "UploadLora",
  decode: (bytes) => decodeRequest(UploadLoraRequest, bytes),
  deadlineMs: limits.loraUploadMs,
  drain: "finish",
  run: async (parts, scope, needs) => {
    const order = readUploadHeader(await readHeader(parts));
    const { project, lora } = order.name;
    scope.note({ project, lora_id: lora, pool: order.pool });
    const architecture = await requireArchitecture(needs, order.pool);
    const receiving = { parts, scope, order: { architecture, digest: order.digest } };
    return await receiveLora(needs, receiving, async (file) => {
      // Up to here an upload that is cut short has left nothing; from here on it is finished.
      scope.signal.throwIfAborted();
      const upload = newVersion(order, file);
      await needs.registry.check(upload);
      if (order.validateOnly) return { version: unstored(upload) };
      return await store(needs, upload, file.path);
    });
  },
};

const mediaType = "application/octet-stream";

function newVersion({ name, version, pool, about }: UploadOrder, file: GoodFile): NewVersion {
  const { digest: sha256, report, architecture } = file;
  return { name, version, file: { sha256, pool, report }, architecture, about };
}

/** The file first: a record never names what is not there. */
async function store(
  { blobs, registry }: GatewayNeeds,
  upload: NewVersion,
  path: string,
): Promise<UploadLoraResponse> {
  const key = loraKey(upload.file.sha256 as LoraDigest);
  await blobs.putFile(key, path, mediaType);
  const { stored, version } = await registry.add(upload);
  // The same file may have been swept as a deleted one's in between.
  if ((await blobs.stat(key)) === undefined) await blobs.putFile(key, path, mediaType);
  return { lora: loraView(stored.record, stored.revision), version };
}

/** What validate_only answers: the version as it would be, under no number or time yet. */
function unstored({ version, file }: NewVersion) {
  return { ...file, version: version ?? "" };
}
