/** The object store as the farm sees it: pictures, adapters, manifests and copies of outcomes. */

export interface BlobInfo {
  readonly key: string;
  readonly sizeBytes: number;
  /** Milliseconds since the epoch. */
  readonly modifiedMs: number;
}

/** Bytes within a blob. */
export interface BlobRange {
  readonly offset: number;
  readonly length: number;
}

/**
 * Keys are built by the farm from ids: 1 to 512 of `A-Z a-z 0-9 . _ - /`, no empty, `.` or `..`
 * segment, no segment above 255; anything else is INTERNAL. No key may be the folder of another
 * one, which a directory could not hold. Failures of the store are STORE_UNAVAILABLE.
 */
export interface BlobStore {
  readonly kind: "s3" | "directory" | "memory";
  /** Stores the bytes, replacing what stood there; readers see all of them or none. */
  put(key: string, bytes: Uint8Array, contentType: string): Promise<void>;
  /**
   * Stores the bytes where nothing stands yet. "exists" leaves what stands untouched; it may be
   * the caller's own, where an answer got lost and the request was repeated.
   */
  create(key: string, bytes: Uint8Array, contentType: string): Promise<"created" | "exists">;
  /** As put, with the bytes of a file of this machine, which are never in memory as a whole. */
  putFile(key: string, path: string, contentType: string): Promise<void>;
  /** The bytes, or undefined where nothing stands. */
  get(key: string): Promise<Uint8Array | undefined>;
  /**
   * At most `length` (1 or more) of its bytes from `offset` on, fewer only at its end, which lies
   * behind the offset; undefined where nothing stands.
   */
  getRange(key: string, range: BlobRange): Promise<Uint8Array | undefined>;
  stat(key: string): Promise<BlobInfo | undefined>;
  /** Removes it; harmless when it is gone. */
  remove(key: string): Promise<void>;
  /** Every blob whose key starts with the prefix and comes after a key, in key order. */
  list(prefix: string, after?: string): AsyncIterable<BlobInfo>;
  /**
   * Where a client can fetch it for `ttlSeconds` (1 to a week): presigned http(s), a file URL,
   * or a data URL. S3 and directories do not look whether something stands there.
   */
  url(key: string, ttlSeconds: number): Promise<string>;
  /** Undefined while the store answers, else what does not work, in words. */
  problem(): Promise<string | undefined>;
  close(): Promise<void>;
}
