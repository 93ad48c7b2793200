/** Results under keys: in S3, in a folder, or in memory. */

export { isBlobKey } from "./blob-key.ts";
export type { BlobInfo, BlobRange, BlobStore } from "./blob-store.ts";
export {
  type BlobsConfig,
  type DirectoryBlobsConfig,
  readBlobsConfig,
  type S3BlobsConfig,
} from "./blobs-config.ts";
export { openDirectoryBlobStore } from "./directory-blob-store.ts";
export { createMemoryBlobStore } from "./memory-blob-store.ts";
export { openBlobStore } from "./open-blob-store.ts";
export { openS3BlobStore, type S3BlobStoreOptions } from "./s3-blob-store.ts";
