/**
 * The few S3 calls that the farm makes, as plain promises whose failures say whether another try
 * makes sense. The only importer of npm minio, and free of anything that only MinIO's server does.
 */
import { Client, S3Error } from "minio";
import type { BlobInfo, BlobRange } from "./blob-store.ts";
import { putFileTo } from "./s3-put-file.ts";
import { createS3Transport, type S3Transport } from "./s3-transport.ts";

export interface S3ClientOptions {
  /** http(s)://host[:port], nothing behind it. */
  readonly endpoint: string;
  readonly bucket: string;
  /** Given, so that no request has to ask for it. */
  readonly region: string;
  readonly accessKey: string;
  readonly secretKey: string;
  readonly requestMs: number;
}

/** What one request came to, short of an answer. */
export class S3Failure extends Error {
  override readonly name = "S3Failure";
  /** S3's code, or Node's, or "unknown". */
  readonly code: string;
  /** Whether the same request may succeed a moment later. */
  readonly isTransient: boolean;

  constructor(cause: unknown) {
    const code = codeOf(cause);
    super(code, { cause });
    this.code = code;
    this.isTransient = !(cause instanceof S3Error) || transientCodes.has(code);
  }
}

const transientCodes = new Set([
  "ConditionalRequestConflict",
  "InternalError",
  "OperationAborted",
  "RequestTimeout",
  "ServiceUnavailable",
  "SlowDown",
  "SlowDownRead",
  "SlowDownWrite",
]);
/** A signed request must begin within this time; what it then takes is bounded elsewhere. */
const signedSeconds = 60;
/** What a conditional write meets where something stands; some servers give only the status. */
const standsCodes = new Set(["PreconditionFailed", "412"]);
const missingCodes = new Set(["NoSuchKey", "NotFound"]);
/** The bucket is there although we have just asked for it to be made: others start as well. */
const bucketExistsCodes = new Set(["BucketAlreadyExists", "BucketAlreadyOwnedByYou"]);

export class S3Client {
  readonly #client: Client;
  readonly #transport: S3Transport;
  readonly #bucket: string;
  readonly #region: string;
  readonly #closing = new AbortController();

  constructor(options: S3ClientOptions) {
    const url = new URL(options.endpoint);
    const useSSL = url.protocol === "https:";
    this.#transport = createS3Transport(useSSL, options.requestMs);
    this.#bucket = options.bucket;
    this.#region = options.region;
    this.#client = new Client({
      endPoint: url.hostname,
      ...(url.port === "" ? {} : { port: Number(url.port) }),
      useSSL,
      region: options.region,
      accessKey: options.accessKey,
      secretKey: options.secretKey,
      transport: this.#transport.transport,
      transportAgent: this.#transport.agent,
      // Its own retries know no errors of the network, and they print to the console.
      retryOptions: { disableRetry: true },
    });
  }

  async ensureBucket(): Promise<void> {
    if (await this.hasBucket()) return;
    await fail(async () => {
      try {
        await this.#client.makeBucket(this.#bucket, this.#region);
      } catch (error) {
        if (!bucketExistsCodes.has(codeOf(error))) throw error;
      }
    });
  }

  async hasBucket(): Promise<boolean> {
    return await fail(() => this.#client.bucketExists(this.#bucket));
  }

  async put(key: string, bytes: Uint8Array, contentType: string): Promise<void> {
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const headers = { "Content-Type": contentType };
    await fail(() => this.#client.putObject(this.#bucket, key, buffer, buffer.byteLength, headers));
  }

  /** The client would keep a whole part in memory; a signed URL takes the file as it is read. */
  async putFile(key: string, path: string, contentType: string): Promise<void> {
    await fail(async () => {
      const url = await this.#client.presignedPutObject(this.#bucket, key, signedSeconds);
      await putFileTo(url, { path, contentType, stop: this.#closing.signal });
    });
  }

  /** A conditional write, which S3 has since 2024 and Ceph and MinIO for longer. */
  async create(key: string, bytes: Uint8Array, contentType: string): Promise<"created" | "exists"> {
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const headers = { "Content-Type": contentType, "If-None-Match": "*" };
    return await fail(async () => {
      try {
        await this.#client.putObject(this.#bucket, key, buffer, buffer.byteLength, headers);
        return "created";
      } catch (error) {
        if (standsCodes.has(codeOf(error))) return "exists";
        throw error;
      }
    });
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    return await failUnlessMissing(async () =>
      readAll(await this.#client.getObject(this.#bucket, key)),
    );
  }

  async getRange(key: string, { offset, length }: BlobRange): Promise<Uint8Array | undefined> {
    return await failUnlessMissing(async () =>
      readAll(await this.#client.getPartialObject(this.#bucket, key, offset, length)),
    );
  }

  async stat(key: string): Promise<BlobInfo | undefined> {
    return await failUnlessMissing(async () => {
      const found = await this.#client.statObject(this.#bucket, key);
      return { key, sizeBytes: found.size, modifiedMs: found.lastModified.getTime() };
    });
  }

  async remove(key: string): Promise<void> {
    await failUnlessMissing(() => this.#client.removeObject(this.#bucket, key));
  }

  /** At most a thousand blobs in key order, those after the given key. */
  async listPage(prefix: string, afterKey: string): Promise<readonly BlobInfo[]> {
    return await fail(async () => {
      const page = await this.#client.listObjectsV2Query(
        this.#bucket,
        prefix,
        "",
        "",
        1_000,
        afterKey,
      );
      return page.objects.flatMap((object) => {
        if (object.name === undefined) return [];
        const modifiedMs = object.lastModified.getTime();
        return [{ key: object.name, sizeBytes: object.size, modifiedMs }];
      });
    });
  }

  /** A URL that fetches the blob without further credentials; computed here, not asked for. */
  async presignGet(key: string, ttlSeconds: number): Promise<string> {
    return await fail(() => this.#client.presignedGetObject(this.#bucket, key, ttlSeconds));
  }

  close(): void {
    this.#closing.abort();
    this.#transport.close();
  }
}

async function readAll(body: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function fail<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw new S3Failure(error);
  }
}

async function failUnlessMissing<T>(run: () => Promise<T>): Promise<T | undefined> {
  try {
    return await run();
  } catch (error) {
    if (missingCodes.has(codeOf(error))) return undefined;
    throw new S3Failure(error);
  }
}

function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return "unknown";
  if ("code" in error && typeof error.code === "string" && error.code !== "") return error.code;
  return error.message === "" ? error.name : error.message;
}
