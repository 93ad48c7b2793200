import {
  defineBlobStoreContract,
  defineS3StoreContract,
  hasMinioForTests,
  hasRadosgwForTests,
  openS3UnderTest,
  startMinio,
  startRadosgw,
} from "@zfarm/testing";
import { describe } from "vitest";

describe.runIf(await hasMinioForTests())("with a real MinIO", () => {
  defineS3StoreContract("s3 on MinIO", startMinio);
});

describe.runIf(await hasRadosgwForTests())("with a real Ceph object gateway", () => {
  defineBlobStoreContract("s3 on Ceph", async () => openS3UnderTest(await startRadosgw()));
});
