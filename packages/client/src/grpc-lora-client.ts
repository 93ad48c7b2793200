/** The client's calls about adapters, over the farm's channel. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import {
  type CheckLoraRequest,
  type CheckLoraResponse,
  type DeleteLoraResponse,
  FarmError,
  type GetLoraResidencyResponse,
  type GetLoraResponse,
  type ListLorasResponse,
  Lora,
  type LoraResidence,
  type LoraServiceClient,
  limits,
  type PrefetchLoraResponse,
  type UpdateLoraResponse,
  type UploadLoraHeader,
  type UploadLoraRequest,
  type UploadLoraResponse,
} from "@zfarm/contract";
import type { CallOptions } from "./call-options.ts";
import { callUpload, type StartUpload } from "./calls.ts";
import type {
  CheckLoraOptions,
  EtagOptions,
  ListLorasOptions,
  LoraChanges,
  LoraClient,
  LoraFile,
  LoraPlaceOptions,
  UploadLoraOptions,
} from "./lora-client.ts";
import { present } from "./present.ts";
import { boundsOf, failureOf, retried } from "./retried.ts";
import { Retry } from "./retry.ts";

type Part<Header> =
  | { readonly $case: "header"; readonly value: Header }
  | { readonly $case: "chunk"; readonly value: Buffer };

export class GrpcLoraClient implements LoraClient {
  readonly #service: LoraServiceClient;

  constructor(service: LoraServiceClient) {
    this.#service = service;
  }

  async upload(file: LoraFile, options: UploadLoraOptions): Promise<UploadLoraResponse> {
    const header = headerOf(options, options.sha256 ?? (await digestOf(file)));
    return await this.#send<UploadLoraRequest, UploadLoraResponse>(file, options, {
      toRequest: (part) => ({ part }) as UploadLoraRequest,
      header,
      start: (metadata, grpc, done) => this.#service.uploadLora(metadata, grpc, done),
    });
  }

  async check(file: LoraFile, options: CheckLoraOptions = {}): Promise<CheckLoraResponse> {
    return await this.#send<CheckLoraRequest, CheckLoraResponse>(file, options, {
      toRequest: (part) => ({ part }) as CheckLoraRequest,
      header: { pool: options.pool ?? "" },
      start: (metadata, grpc, done) => this.#service.checkLora(metadata, grpc, done),
    });
  }

  async get(name: string, options: CallOptions = {}): Promise<Lora> {
    const response = await retried<GetLoraResponse>(options, (metadata, grpc, done) =>
      this.#service.getLora({ name }, metadata, grpc, done),
    );
    return present(response.lora);
  }

  async *list(options: ListLorasOptions = {}): AsyncGenerator<Lora, void> {
    const { parent = "", pageSize = 0 } = options;
    const labels = toMap(options.labels);
    let pageToken = "";
    do {
      const request = { parent, labels, pageSize, pageToken };
      const page = await retried<ListLorasResponse>(options, (metadata, grpc, done) =>
        this.#service.listLoras(request, metadata, grpc, done),
      );
      yield* page.loras;
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
  }

  async update(name: string, changes: LoraChanges, options: EtagOptions = {}): Promise<Lora> {
    const { displayName, labels, triggerWords, pinned, aliases } = changes;
    const lora = Lora.create({
      name,
      etag: options.etag ?? "",
      displayName: displayName ?? "",
      labels: toMap(labels),
      triggerWords: [...(triggerWords ?? [])],
      pinned: pinned ?? false,
      aliases: toMap(aliases),
    });
    const fields = Object.keys(changes) as (keyof LoraChanges)[];
    const updateMask = fields.map((field) => maskPaths[field]);
    const response = await retried<UpdateLoraResponse>(options, (metadata, grpc, done) =>
      this.#service.updateLora({ lora, updateMask }, metadata, grpc, done),
    );
    return present(response.lora);
  }

  async delete(name: string, options: EtagOptions = {}): Promise<void> {
    const request = { name, etag: options.etag ?? "" };
    await retried<DeleteLoraResponse>(options, (metadata, grpc, done) =>
      this.#service.deleteLora(request, metadata, grpc, done),
    );
  }

  async prefetch(
    use: string,
    options: LoraPlaceOptions & { readonly workers?: number } = {},
  ): Promise<PrefetchLoraResponse> {
    const { parent = "", pool = "", workers = 0 } = options;
    return await retried<PrefetchLoraResponse>(options, (metadata, grpc, done) =>
      this.#service.prefetchLora({ parent, lora: use, pool, workers }, metadata, grpc, done),
    );
  }

  async residency(use: string, options: LoraPlaceOptions = {}): Promise<LoraResidence[]> {
    const { parent = "", pool = "" } = options;
    const response = await retried<GetLoraResidencyResponse>(options, (metadata, grpc, done) =>
      this.#service.getLoraResidency({ parent, lora: use, pool }, metadata, grpc, done),
    );
    return response.residences;
  }

  /** A file by its path is sent again where that is harmless; a stream can be read only once. */
  async #send<Request, Response>(
    file: LoraFile,
    options: CheckLoraOptions,
    sending: {
      readonly toRequest: (part: Part<object>) => Request;
      readonly header: object;
      readonly start: StartUpload<Request, Response>;
    },
  ): Promise<Response> {
    const bounds = boundsOf(options);
    const retry = new Retry(bounds);
    for (;;) {
      try {
        const parts = partsOf(file, sending.header, options.onProgress);
        return await callUpload(sending.start, mapEach(parts, sending.toRequest), bounds);
      } catch (thrown) {
        const failure = failureOf(thrown, bounds);
        if (typeof file !== "string") throw failure;
        await retry.afterFailure(failure);
      }
    }
  }
}

const maskPaths: Readonly<Record<keyof LoraChanges, string>> = {
  displayName: "display_name",
  labels: "labels",
  triggerWords: "trigger_words",
  pinned: "pinned",
  aliases: "aliases",
};

function headerOf(options: UploadLoraOptions, sha256: string): UploadLoraHeader {
  return {
    parent: options.parent ?? "",
    lora: options.lora,
    version: options.version ?? "",
    pool: options.pool ?? "",
    sha256,
    displayName: options.displayName ?? "",
    labels: toMap(options.labels),
    triggerWords: [...(options.triggerWords ?? [])],
    pinned: options.pinned ?? false,
    validateOnly: options.validateOnly ?? false,
  };
}

function toMap(texts: Readonly<Record<string, string>> = {}): Map<string, string> {
  return new Map(Object.entries(texts));
}

async function* partsOf<Header>(
  file: LoraFile,
  header: Header,
  onProgress: CheckLoraOptions["onProgress"],
): AsyncGenerator<Part<Header>, void> {
  yield { $case: "header", value: header };
  const total = typeof file === "string" ? await sizeOf(file) : undefined;
  let sent = 0;
  for await (const bytes of typeof file === "string" ? readPath(file) : file) {
    for (let at = 0; at < bytes.length; at += limits.loraChunkBytes) {
      const chunk = bytes.subarray(at, at + limits.loraChunkBytes);
      yield { $case: "chunk", value: Buffer.from(chunk) };
      sent += chunk.length;
      onProgress?.(sent, total);
    }
  }
}

async function* mapEach<From, To>(
  items: AsyncIterable<From>,
  toItem: (item: From) => To,
): AsyncGenerator<To, void> {
  for await (const item of items) yield toItem(item);
}

/** Empty for bytes that come from elsewhere. */
async function digestOf(file: LoraFile): Promise<string> {
  if (typeof file !== "string") return "";
  const hash = createHash("sha256");
  for await (const bytes of readPath(file)) hash.update(bytes);
  return hash.digest("hex");
}

async function sizeOf(path: string): Promise<number> {
  return (await stat(path).catch((error: unknown) => unreadable(path, error))).size;
}

async function* readPath(path: string): AsyncGenerator<Buffer, void> {
  const stream = createReadStream(path, { highWaterMark: limits.loraChunkBytes });
  try {
    for await (const bytes of stream) yield bytes as Buffer;
  } catch (error) {
    unreadable(path, error);
  }
}

function unreadable(path: string, cause: unknown): never {
  const why = cause instanceof Error ? cause.message : "unknown";
  const violations = [{ field: "file", reason: "UNREADABLE", description: why }];
  throw new FarmError("INVALID_REQUEST", `${path} cannot be read: ${why}`, { cause, violations });
}
