/**
 * Blobs in a bucket of anything that speaks S3. Decides how often a call is tried and what its
 * failure means; every call is idempotent, so a second try is always safe.
 */
import { FarmError, limits } from "@zfarm/contract";
import { backoffMs, type Clock, type Secret, systemClock } from "@zfarm/runtime";
import { assertBlobKey, assertBlobPrefix } from "./blob-key.ts";
import type { BlobInfo, BlobRange, BlobStore } from "./blob-store.ts";
import { S3Client, S3Failure } from "./s3-client.ts";
import { assertUrlSeconds } from "./url-seconds.ts";

export interface S3BlobStoreOptions {
  /** http(s)://host[:port] */
  readonly endpoint: string;
  /** The same store as clients outside reach it; URLs are signed for it. */
  readonly publicEndpoint?: string | undefined;
  /** Created where it is missing. */
  readonly bucket: string;
  readonly region: string;
  readonly accessKey: Secret;
  readonly secretKey: Secret;
  readonly clock?: Clock;
  /** Time of one request; a call makes at most `limits.storeAttemptsMax` of them. */
  readonly requestMs?: number;
}

/** Throws STORE_UNAVAILABLE where the store does not answer or refuses the keys. */
export async function openS3BlobStore(options: S3BlobStoreOptions): Promise<BlobStore> {
  const store = new S3BlobStore(options);
  try {
    await store.prepare();
  } catch (error) {
    await store.close();
    throw error;
  }
  return store;
}

class S3BlobStore implements BlobStore {
  readonly kind = "s3";
  readonly #client: S3Client;
  readonly #signer: S3Client;
  readonly #prober: S3Client;
  readonly #clock: Clock;
  readonly #bucket: string;
  readonly #closed = new AbortController();

  constructor(options: S3BlobStoreOptions) {
    const common = {
      endpoint: options.endpoint,
      bucket: options.bucket,
      region: options.region,
      accessKey: options.accessKey.reveal(),
      secretKey: options.secretKey.reveal(),
      requestMs: options.requestMs ?? limits.storeRequestMs,
    };
    this.#client = new S3Client(common);
    this.#signer = new S3Client({
      ...common,
      endpoint: options.publicEndpoint ?? options.endpoint,
    });
    // Its own connections: a probe must not queue behind uploads.
    this.#prober = new S3Client({ ...common, requestMs: limits.storeProbeMs });
    this.#clock = options.clock ?? systemClock;
    this.#bucket = options.bucket;
  }

  async prepare(): Promise<void> {
    await this.#call(`bucket ${this.#bucket}`, () => this.#client.ensureBucket());
  }

  async put(key: string, bytes: Uint8Array, contentType: string): Promise<void> {
    assertBlobKey(key);
    await this.#call(`put ${key}`, () => this.#client.put(key, bytes, contentType));
  }

  async putFile(key: string, path: string, contentType: string): Promise<void> {
    assertBlobKey(key);
    await this.#call(`put ${key}`, () => this.#client.putFile(key, path, contentType));
  }

  async create(key: string, bytes: Uint8Array, contentType: string): Promise<"created" | "exists"> {
    assertBlobKey(key);
    return await this.#call(`create ${key}`, () => this.#client.create(key, bytes, contentType));
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    assertBlobKey(key);
    return await this.#call(`get ${key}`, () => this.#client.get(key));
  }

  async getRange(key: string, range: BlobRange): Promise<Uint8Array | undefined> {
    assertBlobKey(key);
    return await this.#call(`get ${key}`, () => this.#client.getRange(key, range));
  }

  async stat(key: string): Promise<BlobInfo | undefined> {
    assertBlobKey(key);
    return await this.#call(`stat ${key}`, () => this.#client.stat(key));
  }

  async remove(key: string): Promise<void> {
    assertBlobKey(key);
    await this.#call(`remove ${key}`, () => this.#client.remove(key));
  }

  /** Page by page; each continues after the last key, so that a failed page is just asked again. */
  async *list(prefix: string, after = ""): AsyncIterable<BlobInfo> {
    assertBlobPrefix(prefix);
    for (let seen = after; ; ) {
      const from = seen;
      const page = await this.#call("list", () => this.#client.listPage(prefix, from));
      yield* page;
      const last = page.at(-1);
      if (last === undefined) return;
      seen = last.key;
    }
  }

  async url(key: string, ttlSeconds: number): Promise<string> {
    assertBlobKey(key);
    assertUrlSeconds(ttlSeconds);
    return await this.#call(`sign ${key}`, () => this.#signer.presignGet(key, ttlSeconds));
  }

  async problem(): Promise<string | undefined> {
    try {
      if (await this.#prober.hasBucket()) return undefined;
      return `the bucket ${this.#bucket} of the object store is gone`;
    } catch (error) {
      return `the object store does not answer: ${error instanceof Error ? error.message : "?"}`;
    }
  }

  /** Cuts what is in flight: whoever drains has waited for its calls before. */
  async close(): Promise<void> {
    this.#closed.abort();
    for (const client of [this.#client, this.#signer, this.#prober]) client.close();
  }

  async #call<T>(what: string, run: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await run();
      } catch (error) {
        const isLast = attempt >= limits.storeAttemptsMax || this.#closed.signal.aborted;
        const isTransient = error instanceof S3Failure && error.isTransient;
        if (isLast || !isTransient) throw unavailable(what, error);
        await this.#clock.sleep(backoffMs(attempt), this.#closed.signal);
      }
    }
  }
}

function unavailable(what: string, cause: unknown): FarmError {
  const code = cause instanceof S3Failure ? cause.code : "unexpected failure";
  return new FarmError("STORE_UNAVAILABLE", `object store: ${what}: ${code}`, { cause });
}
