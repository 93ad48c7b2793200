/** The S3 store against a scripted server: what no healthy server does, but networks do. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { limits } from "@zfarm/contract";
import { Secret } from "@zfarm/runtime";
import { afterEach, describe, expect, test } from "vitest";
import { openS3BlobStore } from "./s3-blob-store.ts";

type Answer = (response: ServerResponse, request: IncomingMessage) => void;

const ok: Answer = (response) => response.writeHead(200).end("bytes");
const silence: Answer = () => undefined;
const cut: Answer = (response) => response.destroy();
const busy: Answer = (response) => response.writeHead(503).end("<Error/>".repeat(10_000));
const halfABody: Answer = (response) => {
  response.writeHead(200, { "content-length": "100" }).write("half");
  setImmediate(() => response.destroy());
};
const stalledBody: Answer = (response) => {
  response.writeHead(200, { "content-length": "100" }).write("half");
};
const busyAndCut: Answer = (response) => {
  response.writeHead(503, { "content-length": "100" }).write("half");
  setImmediate(() => response.destroy());
};
const failure = (status: number, code: string): Answer => {
  const xml = `<?xml version="1.0"?><Error><Code>${code}</Code><Message>no</Message></Error>`;
  return (response) => response.writeHead(status).end(xml);
};

/** Long enough for the loopback, short enough for tests that wait for its end. */
const requestMs = 200;

/** A store whose server answers in this order once the store is open, and then with the last. */
async function open(...script: readonly Answer[]) {
  return await openPatient(requestMs, script);
}

async function openPatient(patienceMs: number, script: readonly Answer[]) {
  const asked: string[] = [];
  let isOpen = false;
  const server = createServer((request, response) => {
    request.resume();
    if (isOpen) asked.push(`${request.method} ${request.url?.split("?")[0]}`);
    const answer = script[Math.min(asked.length, script.length) - 1] ?? ok;
    answer(response, request);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const store = await openS3BlobStore({
    endpoint: `http://127.0.0.1:${port}`,
    bucket: "bucket",
    region: "us-east-1",
    accessKey: new Secret("key"),
    secretKey: new Secret("hunter2"),
    requestMs: patienceMs,
  });
  isOpen = true;
  cleanups.push(async () => {
    await store.close();
    server.closeAllConnections();
    server.close();
  });
  return { store, asked, port };
}

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

describe("an S3 store whose server falters", () => {
  test.each([
    ["cuts the connection", cut],
    ["never answers", silence],
    ["says it is busy", busy],
    ["is busy, and breaks off while it says so", busyAndCut],
    ["breaks off in the body", halfABody],
    ["stalls in the body", stalledBody],
  ])("tries again when the server %s", async (_name, fault) => {
    const { store, asked } = await open(fault, ok);

    expect(String(await store.get("a").then((found) => Buffer.from(found ?? [])))).toBe("bytes");
    expect(asked).toEqual(["GET /bucket/a", "GET /bucket/a"]);
  });

  test.each([
    ["cuts every connection", cut],
    ["never answers", silence],
    ["is always busy", busy],
    ["always breaks off in the body", halfABody],
  ])("gives up after a bounded number of tries when the server %s", async (_name, fault) => {
    const { store, asked } = await open(fault);

    await expect(store.get("a")).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    expect(asked).toHaveLength(limits.storeAttemptsMax);
  });

  test("does not repeat what the server has refused", async () => {
    const { store, asked } = await open(failure(403, "AccessDenied"));

    const message = "object store: put a: AccessDenied";
    const put = store.put("a", new Uint8Array([1]), "image/png");

    await expect(put).rejects.toMatchObject({ code: "STORE_UNAVAILABLE", message });
    expect(asked).toHaveLength(1);
  });

  test("a missing bucket is a broken store, not a missing blob", async () => {
    const { store } = await open(failure(404, "NoSuchBucket"));

    await expect(store.get("a")).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    expect(await store.problem()).toBe("the bucket bucket of the object store is gone");
  });

  test("a missing blob is undefined", async () => {
    const { store } = await open(failure(404, "NoSuchKey"));

    expect(await store.get("a")).toBeUndefined();
  });

  test("closing cuts calls in flight and leaves nothing running", async () => {
    const { store, asked } = await open(silence);
    const call = store.get("a");
    await expect.poll(() => asked).toHaveLength(1);

    await store.close();

    await expect(call).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    expect(asked).toHaveLength(1);
  });

  test("busy answers free their connections at once, not at the deadline", async () => {
    const busyTimes = Array.from({ length: 60 }, () => busy);
    const { store, asked } = await openPatient(3_600_000, [...busyTimes, ok]);

    const calls = Array.from({ length: 40 }, () => store.get("a").catch(() => undefined));
    await Promise.all(calls);

    expect(asked.length).toBeGreaterThanOrEqual(60);
    expect(await store.get("a")).toBeDefined();
  });

  test("no error text or error object shows the secret key", async () => {
    const { store } = await open(failure(403, "SignatureDoesNotMatch"));

    const error = await store.get("a").catch((thrown: unknown) => thrown);

    expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain("hunter2");
  });
});

test("a store that cannot be reached cannot be opened", async () => {
  const { store, port } = await open(ok);
  await store.close();
  for (const cleanup of cleanups.splice(0)) await cleanup();

  const opening = openS3BlobStore({
    endpoint: `http://127.0.0.1:${port}`,
    bucket: "bucket",
    region: "us-east-1",
    accessKey: new Secret("key"),
    secretKey: new Secret("hunter2"),
  });

  const message = "object store: bucket bucket: ECONNREFUSED";
  await expect(opening).rejects.toMatchObject({ code: "STORE_UNAVAILABLE", message });
});
