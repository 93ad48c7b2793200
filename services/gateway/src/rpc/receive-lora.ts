/** Takes in the file of an upload or a check, and has the gate look at it. */
import { FarmError, type LoraArchitecture, type LoraDigest, type PoolId } from "@zfarm/contract";
import { invalidField } from "../domain/violations.ts";
import type { Inspected } from "../loras/gate.ts";
import type { ReceivedFile } from "../loras/upload-folder.ts";
import type { GatewayNeeds } from "../needs.ts";
import type { CallScope } from "./call-scope.ts";

/** One message of a client stream: the header first, then pieces of the file. */
export interface UploadPart<Header> {
  readonly part?:
    | { readonly $case: "header"; readonly value: Header }
    | { readonly $case: "chunk"; readonly value: Uint8Array }
    | undefined;
}

/** A file that passed the gate, for as long as the call needs it. */
export interface GoodFile extends Inspected {
  readonly path: string;
  readonly architecture: LoraArchitecture;
}

/** The first message's header. INVALID_REQUEST. */
export async function readHeader<Header>(
  parts: AsyncGenerator<UploadPart<Header>, void>,
): Promise<Header> {
  const first = await parts.next();
  if (first.done !== true && first.value.part?.$case === "header") return first.value.part.value;
  const description = "must be the first message, and pieces of the file follow";
  throw invalidField("header", { reason: "REQUIRED", description });
}

/** What the pool's model is like. NO_CAPABLE_POOL. */
export async function requireArchitecture(
  { pools }: Pick<GatewayNeeds, "pools">,
  pool: PoolId,
): Promise<LoraArchitecture> {
  const record = await pools.find(pool);
  if (record === undefined) {
    throw new FarmError("NO_CAPABLE_POOL", `no worker of pool ${pool} has started yet`);
  }
  if (record.loraArchitecture !== undefined) return record.loraArchitecture;
  throw new FarmError("NO_CAPABLE_POOL", `pool ${pool} draws with the bare model only`);
}

export interface ReceiveOrder {
  readonly architecture: LoraArchitecture;
  /** What the file should come to. */
  readonly digest?: LoraDigest | undefined;
}

/** Hands a file that passed to `use`. LORA_REFUSED, INVALID_REQUEST, TOO_LARGE, UPLOADS_BUSY. */
export async function receiveLora<T>(
  needs: GatewayNeeds,
  call: {
    readonly parts: AsyncGenerator<UploadPart<unknown>, void>;
    readonly scope: CallScope;
    readonly order: ReceiveOrder;
  },
  use: (file: GoodFile) => Promise<T>,
): Promise<T> {
  const { parts, scope, order } = call;
  const { architecture } = order;
  return await needs.uploads.receive(chunksOf(parts), async (file) => {
    needs.metrics.loraBytes.inc(file.sizeBytes);
    scope.note({ file_bytes: file.sizeBytes, sha256: file.digest });
    requireDigest(file, order.digest);
    const done = needs.metrics.loraGate.startTimer();
    const inspected = await needs.gate(file.path, architecture, scope.signal).finally(done);
    requireUnchanged(file, inspected);
    scope.note({ dialect: inspected.report.dialect, ranks: inspected.report.ranksTaken });
    return await use({ ...inspected, path: file.path, architecture });
  });
}

async function* chunksOf(
  parts: AsyncGenerator<UploadPart<unknown>, void>,
): AsyncGenerator<Uint8Array, void> {
  for await (const { part } of parts) {
    if (part?.$case === "chunk") yield part.value;
    else {
      const description = "every message after the header must be a piece of the file";
      throw invalidField("chunk", { reason: "REQUIRED", description });
    }
  }
}

function requireDigest(file: ReceivedFile, wanted: LoraDigest | undefined): void {
  if (file.sizeBytes === 0) {
    throw invalidField("chunk", { reason: "REQUIRED", description: "the file is empty" });
  }
  if (wanted === undefined || wanted === file.digest) return;
  const description = `the ${file.sizeBytes} bytes that came have SHA-256 ${file.digest}`;
  throw invalidField("header.sha256", { reason: "DIGEST_MISMATCH", description });
}

/** The gate reads what lies on the disk; it must be what came. */
function requireUnchanged(file: ReceivedFile, { digest }: Inspected): void {
  if (digest === file.digest) return;
  throw new FarmError(
    "STORE_UNAVAILABLE",
    "the upload changed on the gateway's disk; send it again",
  );
}
