/** What the store over S3 promises on a server that is stopped, killed, frozen and lied to. */
import { randomBytes } from "node:crypto";
import { openS3BlobStore } from "@zfarm/blobs";
import { Secret } from "@zfarm/runtime";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { S3Server } from "../servers/s3-server.ts";
import { type BlobStoreUnderTest, defineBlobStoreContract } from "./blob-store-contract.ts";

/** The contract of every store, on a server that is started for it. */
export async function openS3UnderTest(server: S3Server): Promise<BlobStoreUnderTest> {
  const broken = await openS3BlobStore(optionsFor(server));
  await broken.close();
  const store = await openS3BlobStore(optionsFor(server));
  return { store, broken, manyBlobs: 1_010, stop: () => server.stop() };
}

/** All that and trouble, on two servers of one kind. */
export function defineS3StoreContract(name: string, start: () => Promise<S3Server>): void {
  defineBlobStoreContract(name, async () => openS3UnderTest(await start()));

  describe(`a server that has trouble: ${name}`, () => {
    let server: S3Server;
    beforeAll(async () => {
      server = await start();
    }, 120_000);
    afterAll(() => server?.stop(), 60_000);

    defineAccess(() => server);
    defineTrouble(() => server);
  });
}

function defineAccess(server: () => S3Server): void {
  test("opens twice on one bucket, also at the same time", async () => {
    const options = optionsFor(server());

    const [one, other] = await Promise.all([openS3BlobStore(options), openS3BlobStore(options)]);
    await one.put("a", new Uint8Array([1]), "image/png");

    expect(await other.get("a")).toHaveLength(1);
    await Promise.all([one.close(), other.close()]);
  });

  test("cannot be opened with a wrong secret", async () => {
    const opening = openS3BlobStore({ ...optionsFor(server()), secretKey: new Secret("wrong") });

    await expect(opening).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  });

  test("a presigned URL shows the content type, and ends with its time", async () => {
    const store = await openS3BlobStore(optionsFor(server()));
    await store.put("a.png", new Uint8Array([1]), "image/png");

    const answer = await fetch(await store.url("a.png", 60));
    const forged = await fetch((await store.url("a.png", 60)).replace("Expires=60", "Expires=61"));

    expect([answer.status, answer.headers.get("content-type")]).toEqual([200, "image/png"]);
    expect(forged.status).toBe(403);
    await store.close();
  });

  test("URLs are signed for the public endpoint where there is one", async () => {
    const publicEndpoint = server().endpoint.replace("127.0.0.1", "localhost");
    const store = await openS3BlobStore({ ...optionsFor(server()), publicEndpoint });
    await store.put("a", new Uint8Array([1]), "image/png");

    const url = await store.url("a", 60);

    expect(new URL(url).origin).toBe(publicEndpoint);
    expect((await fetch(url)).status).toBe(200);
    await store.close();
  });
}

function defineTrouble(server: () => S3Server): void {
  test("is unavailable while the server is down, and as before after a restart", async () => {
    const store = await openS3BlobStore(optionsFor(server()));
    await store.put("before", new Uint8Array([1]), "image/png");

    await server().kill();
    const away = store.put("during", new Uint8Array([2]), "image/png");
    await expect(away).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    expect(await store.problem()).toContain("does not answer");
    await server().restart();

    expect(await store.get("before")).toHaveLength(1);
    expect(await store.problem()).toBeUndefined();
    await store.close();
  });

  test("a frozen server costs bounded time, and a thawed one works again", async () => {
    const options = optionsFor(server());
    const patient = await openS3BlobStore(options);
    // Some servers take seconds to make room for a new bucket.
    await patient.put("a", new Uint8Array([1]), "image/png");
    const store = await openS3BlobStore({ ...options, requestMs: 300 });

    server().freeze();
    // The last thread stops a moment after the signal.
    await expect.poll(() => store.problem(), { timeout: 20_000 }).toBeDefined();
    const frozen = [store.get("a"), store.put("a", randomBytes(1_000_000), "image/png")];
    const results = await Promise.allSettled(frozen);
    server().thaw();

    expect(results).toMatchObject([
      { status: "rejected", reason: { code: "STORE_UNAVAILABLE" } },
      { status: "rejected", reason: { code: "STORE_UNAVAILABLE" } },
    ]);
    await expect.poll(() => store.problem(), { timeout: 20_000 }).toBeUndefined();
    await Promise.all([patient.close(), store.close()]);
  });
}

/** What it takes to open a store with a bucket of its own; every caller may change some of it. */
function optionsFor(server: S3Server) {
  return {
    endpoint: server.endpoint,
    bucket: `zfarm-${randomBytes(4).toString("hex")}`,
    region: server.region,
    accessKey: new Secret(server.accessKey),
    secretKey: new Secret(server.secretKey),
  };
}
