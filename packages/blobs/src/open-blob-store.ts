/** The store that a configuration names. */
import type { Clock, Registry } from "@zfarm/runtime";
import type { BlobStore } from "./blob-store.ts";
import type { BlobsConfig } from "./blobs-config.ts";
import { openDirectoryBlobStore } from "./directory-blob-store.ts";
import { measureBlobStore } from "./measured-blob-store.ts";
import { openS3BlobStore } from "./s3-blob-store.ts";

interface Needs {
  readonly clock: Clock;
  /** Where requests are measured; absent: nowhere. */
  readonly registry?: Registry;
}

/** Throws STORE_UNAVAILABLE where the store cannot be used now. */
export async function openBlobStore(config: BlobsConfig, needs: Needs): Promise<BlobStore> {
  const store = await open(config, needs);
  return needs.registry === undefined ? store : measureBlobStore(store, needs.registry);
}

async function open(config: BlobsConfig, needs: Needs): Promise<BlobStore> {
  switch (config.kind) {
    case "s3":
      return await openS3BlobStore({ ...config, clock: needs.clock });
    case "directory":
      return await openDirectoryBlobStore(config.root);
  }
}
