/** What every BlobStore promises; memory, directory and S3 on real servers all pass. */
import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { BlobInfo, BlobStore } from "@zfarm/blobs";
import { invariant } from "@zfarm/runtime";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { defineBlobFileContract } from "./blob-file-contract.ts";

export interface BlobStoreUnderTest {
  readonly store: BlobStore;
  /** The same kind of store, but its back end is away or it is closed. */
  readonly broken: BlobStore;
  /** Blobs for the long listing: above 1000 where puts are cheap, so that pages must be turned. */
  readonly manyBlobs: number;
  /** Ends what was started for it; the stores are closed before. */
  stop(): Promise<void>;
}

const png = "image/png";
/** Around and above what HTTP bodies and S3 parts treat differently. */
const sizes = [0, 1, 65_537, 3_000_000];
const badKeys = [
  "",
  "/",
  "/a",
  "a/",
  "a//b",
  ".",
  "..",
  "../a",
  "a/../b",
  "a/./b",
  "a b",
  "a\\b",
  "a%2e",
  "ä",
  "a\n",
  "a\0",
  "~drafts/a",
  "a".repeat(256),
  `${"a/".repeat(256)}a`,
];
const goodKeys = [
  "a1",
  "A-z_0.9",
  ".hidden",
  "...",
  "x/y/z.png",
  "a".repeat(255),
  "b/".repeat(99) + "c",
];

/** The opener runs once; every test works under a prefix of its own. */
export function defineBlobStoreContract(
  name: string,
  open: () => Promise<BlobStoreUnderTest>,
): void {
  describe(`blob store contract: ${name}`, () => {
    let opened: BlobStoreUnderTest | undefined;
    const underTest = (): BlobStoreUnderTest => {
      invariant(opened !== undefined, "the store was opened before the first test");
      return opened;
    };
    const given = () => ({ store: underTest().store, at: `t${randomBytes(6).toString("hex")}` });

    beforeAll(async () => {
      opened = await open();
    }, 120_000);
    afterAll(async () => {
      await opened?.store.close();
      await opened?.broken.close();
      await opened?.stop();
    }, 60_000);

    defineReadsAndWrites(given);
    defineCreates(given);
    defineBlobFileContract(() => ({ ...given(), broken: underTest().broken }));
    defineListing(given, () => underTest().manyBlobs);
    defineKeys(given);
    defineUrls(given);
    defineTrouble(given, () => underTest().broken);
  });
}

type Given = () => { readonly store: BlobStore; readonly at: string };

function defineReadsAndWrites(given: Given): void {
  test.each(sizes)("gives back the %i bytes that were put, and their size", async (size) => {
    const { store, at } = given();
    const bytes = randomBytes(size);

    await store.put(`${at}/a.png`, bytes, png);

    expect(isSame(await store.get(`${at}/a.png`), bytes)).toBe(true);
    expect(await store.stat(`${at}/a.png`)).toMatchObject({ key: `${at}/a.png`, sizeBytes: size });
  });

  test("gives part of a blob, up to its end, and undefined where nothing stands", async () => {
    const { store, at } = given();
    const bytes = randomBytes(100_000);
    await store.put(`${at}/a`, bytes, png);

    for (const [offset, length] of [
      [0, 1],
      [1, 70_000],
      [99_999, 1],
      [60_000, 90_000],
    ] as const) {
      const part = await store.getRange(`${at}/a`, { offset, length });
      expect(isSame(part, bytes.subarray(offset, offset + length))).toBe(true);
    }
    expect(await store.getRange(`${at}/none`, { offset: 0, length: 5 })).toBeUndefined();
  });

  test("says when a blob was stored, to the second", async () => {
    const { store, at } = given();
    const before = Date.now();

    await store.put(`${at}/a`, randomBytes(3), png);

    const info = await store.stat(`${at}/a`);
    // S3 rounds down to the second, and clocks of file systems tick coarsely.
    expect(info?.modifiedMs).toBeGreaterThanOrEqual(before - 1_100);
    expect(info?.modifiedMs).toBeLessThanOrEqual(Date.now() + 1_000);
  });

  test("stores only the bytes of a view, not those around it", async () => {
    const { store, at } = given();
    const around = randomBytes(100);

    await store.put(`${at}/a`, new Uint8Array(around.buffer, around.byteOffset + 10, 20), png);

    expect(isSame(await store.get(`${at}/a`), around.subarray(10, 30))).toBe(true);
  });

  test("keeps what was put although the caller's array changes later", async () => {
    const { store, at } = given();
    const bytes = new Uint8Array([1, 2, 3]);

    await store.put(`${at}/a`, bytes, png);
    bytes.fill(9);
    (await store.get(`${at}/a`))?.fill(8);

    expect(isSame(await store.get(`${at}/a`), new Uint8Array([1, 2, 3]))).toBe(true);
  });

  test("a second put replaces the first one whole", async () => {
    const { store, at } = given();
    await store.put(`${at}/a`, randomBytes(1_000), png);

    await store.put(`${at}/a`, new Uint8Array([7]), png);

    expect(isSame(await store.get(`${at}/a`), new Uint8Array([7]))).toBe(true);
  });

  test("where nothing stands, get and stat find undefined", async () => {
    const { store, at } = given();
    await store.put(`${at}/folder/a`, randomBytes(1), png);

    for (const key of [`${at}/gone`, `${at}/folder`, `${at}/folder/b`, `${at}/folder/a/b`]) {
      expect([await store.get(key), await store.stat(key)]).toEqual([undefined, undefined]);
    }
  });

  test("removes a blob, and again without harm", async () => {
    const { store, at } = given();
    await store.put(`${at}/a`, randomBytes(1), png);
    await store.put(`${at}/ab`, randomBytes(1), png);

    await store.remove(`${at}/a`);
    await store.remove(`${at}/a`);
    await store.remove(`${at}/never/was`);

    expect(await store.get(`${at}/a`)).toBeUndefined();
    expect(await store.stat(`${at}/ab`)).toBeDefined();
  });

  test("puts of one key at the same time leave one of the values whole", async () => {
    const { store, at } = given();
    const values = Array.from({ length: 8 }, () => randomBytes(100_000));
    const seen: (Uint8Array | undefined)[] = [];
    await store.put(`${at}/a`, values[0] ?? randomBytes(0), png);

    await Promise.all([
      ...values.map((value) => store.put(`${at}/a`, value, png)),
      ...values.map(async () => seen.push(await store.get(`${at}/a`))),
    ]);

    seen.push(await store.get(`${at}/a`));
    const isWhole = (found: Uint8Array | undefined) => values.some((one) => isSame(found, one));
    expect(seen.every(isWhole)).toBe(true);
  });
}

function defineCreates(given: Given): void {
  test("creates a blob once and leaves what stands as it is", async () => {
    const { store, at } = given();
    const bytes = randomBytes(1_000);

    const told = [
      await store.create(`${at}/a`, bytes, png),
      await store.create(`${at}/a`, randomBytes(1_000), png),
    ];

    expect(told).toEqual(["created", "exists"]);
    expect(isSame(await store.get(`${at}/a`), bytes)).toBe(true);
    await store.remove(`${at}/a`);
    expect(await store.create(`${at}/a`, bytes, png)).toBe("created");
  });

  test("lets one of many concurrent creates through, whole", async () => {
    const { store, at } = given();
    const values = Array.from({ length: 8 }, () => randomBytes(50_000));

    const told = await Promise.all(values.map((value) => store.create(`${at}/a`, value, png)));

    expect(told.filter((each) => each === "created")).toHaveLength(1);
    const stands = await store.get(`${at}/a`);
    expect(isSame(stands, values[told.indexOf("created")] ?? randomBytes(0))).toBe(true);
  });

  test("a put leaves nothing for a create", async () => {
    const { store, at } = given();
    await store.put(`${at}/a`, new Uint8Array([1]), png);

    expect(await store.create(`${at}/a`, new Uint8Array([2]), png)).toBe("exists");
    expect(isSame(await store.get(`${at}/a`), new Uint8Array([1]))).toBe(true);
  });
}

function defineListing(given: Given, manyBlobs: () => number): void {
  test("lists what starts with the prefix, in key order, with sizes", async () => {
    const { store, at } = given();
    const keys = ["b/2/x", "b-1", "b.1", "b/10/x", "b0", "a", "c", "b/1/x"];
    for (const key of keys) await store.put(`${at}/${key}`, randomBytes(key.length), png);

    const found = await collect(store.list(`${at}/b`));

    const inOrder = ["b-1", "b.1", "b/1/x", "b/10/x", "b/2/x", "b0"];
    expect(found.map((info) => info.key)).toEqual(inOrder.map((key) => `${at}/${key}`));
    expect(found.map((info) => info.sizeBytes)).toEqual(inOrder.map((key) => key.length));
  });

  test("the prefix is a text, not a folder", async () => {
    const { store, at } = given();
    await store.put(`${at}/abc/d`, randomBytes(1), png);
    await store.put(`${at}/abd`, randomBytes(1), png);
    const keysOf = async (prefix: string) =>
      (await collect(store.list(prefix))).map((info) => info.key);

    expect(await keysOf(`${at}/ab`)).toEqual([`${at}/abc/d`, `${at}/abd`]);
    expect(await keysOf(`${at}/abc/`)).toEqual([`${at}/abc/d`]);
    expect(await keysOf(`${at}/abd`)).toEqual([`${at}/abd`]);
    expect(await keysOf(`${at}/x`)).toEqual([]);
    expect(await keysOf("")).toEqual(expect.arrayContaining([`${at}/abc/d`, `${at}/abd`]));
  });

  test("goes on behind a key, whether it stands or not", async () => {
    const { store, at } = given();
    for (const key of ["a", "b/1/x", "b/2/x", "b0", "c"]) {
      await store.put(`${at}/${key}`, randomBytes(1), png);
    }
    const keysAfter = async (after: string) =>
      (await collect(store.list(`${at}/`, `${at}/${after}`))).map((info) => info.key);

    expect(await keysAfter("b/1/x")).toEqual([`${at}/b/2/x`, `${at}/b0`, `${at}/c`]);
    expect(await keysAfter("b/1/z")).toEqual([`${at}/b/2/x`, `${at}/b0`, `${at}/c`]);
    expect(await keysAfter("c")).toEqual([]);
  });

  test("lists more blobs than fit into one answer, each once", { timeout: 120_000 }, async () => {
    const { store, at } = given();
    const keys = Array.from({ length: manyBlobs() }, (_, index) => `${at}/${index}/x`);
    for (let from = 0; from < keys.length; from += 50) {
      const some = keys.slice(from, from + 50);
      await Promise.all(some.map((key) => store.put(key, new Uint8Array([1]), png)));
    }

    const found = await collect(store.list(`${at}/`));

    expect(found.map((info) => info.key)).toEqual(keys.toSorted());
  });

  test("a listing that is broken off half-way leaves a working store", async () => {
    const { store, at } = given();
    for (const key of ["a", "b", "c"]) await store.put(`${at}/${key}`, randomBytes(1), png);

    for await (const info of store.list(`${at}/`)) {
      if (info.key.endsWith("b")) break;
      await store.remove(`${at}/c`);
    }

    expect(await collect(store.list(`${at}/`))).toHaveLength(2);
  });
}

function defineKeys(given: Given): void {
  test.each(goodKeys.map(titled))("takes the key $title", async ({ key }) => {
    const { store, at } = given();

    await store.put(`${at}/${key}`.slice(0, 512), new Uint8Array([1]), png);

    expect(await store.stat(`${at}/${key}`.slice(0, 512))).toBeDefined();
  });

  test.each(badKeys.map(titled))("refuses the key $title as a bug of the farm", async ({ key }) => {
    const { store } = given();
    const calls = [
      () => store.put(key, new Uint8Array([1]), png),
      () => store.create(key, new Uint8Array([1]), png),
      () => store.get(key),
      () => store.getRange(key, { offset: 0, length: 1 }),
      () => store.stat(key),
      () => store.remove(key),
      () => store.url(key, 60),
    ];

    for (const call of calls) await expect(call()).rejects.toMatchObject({ code: "INTERNAL" });
  });

  test.each(["/", "../", "a//", "a b", "~"])("refuses the prefix %j", async (prefix) => {
    const { store } = given();

    await expect(collect(store.list(prefix))).rejects.toMatchObject({ code: "INTERNAL" });
  });
}

function defineUrls(given: Given): void {
  test("the URL fetches the same bytes", async () => {
    const { store, at } = given();
    const bytes = randomBytes(70_000);
    await store.put(`${at}/a-1_b.png`, bytes, png);

    const url = await store.url(`${at}/a-1_b.png`, 60);

    expect(isSame(await download(url), bytes)).toBe(true);
  });

  test.each([0, -1, 1.5, 604_801, Number.NaN])("refuses a URL that lives %d s", async (seconds) => {
    const { store, at } = given();
    await store.put(`${at}/a`, randomBytes(1), png);

    await expect(store.url(`${at}/a`, seconds)).rejects.toMatchObject({ code: "INTERNAL" });
  });
}

function defineTrouble(given: Given, brokenStore: () => BlobStore): void {
  test("a store that works has no problem", async () => {
    expect(await given().store.problem()).toBeUndefined();
  });

  test("a store that cannot work says so: STORE_UNAVAILABLE, and a problem in words", async () => {
    const broken = brokenStore();
    const calls = [
      () => broken.put("a", new Uint8Array([1]), png),
      () => broken.create("a", new Uint8Array([1]), png),
      () => broken.get("a"),
      () => broken.getRange("a", { offset: 0, length: 1 }),
      () => broken.stat("a"),
      () => broken.remove("a"),
      () => collect(broken.list("")),
    ];

    for (const call of calls) {
      await expect(call()).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    }
    expect(await broken.problem()).toMatch(/\w+ \w+/);
  });
}

/** A key with a title that fits a report. */
function titled(key: string): { readonly key: string; readonly title: string } {
  const shown = key.length > 20 ? `${key.slice(0, 20)}... (${key.length})` : key;
  return { key, title: JSON.stringify(shown) };
}

async function collect(list: AsyncIterable<BlobInfo>): Promise<BlobInfo[]> {
  const found: BlobInfo[] = [];
  for await (const info of list) found.push(info);
  return found;
}

/** What a client does with a URL: reads a file, or asks over HTTP with nothing but the URL. */
async function download(url: string): Promise<Uint8Array> {
  if (url.startsWith("file:")) return await readFile(fileURLToPath(url));
  const response = await fetch(url);
  expect(response.status).toBe(200);
  return new Uint8Array(await response.arrayBuffer());
}

/** Far quicker than a deep comparison of megabytes, and blind to Buffer or Uint8Array. */
function isSame(found: Uint8Array | undefined, wanted: Uint8Array): boolean {
  return found !== undefined && Buffer.compare(found, wanted) === 0;
}
