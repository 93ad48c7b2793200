/** What becomes of adapters that are uploaded, looked at, changed and deleted. */
import { readdir } from "node:fs/promises";
import {
  defaultProject,
  type LoraDigest,
  type LoraId,
  LoraRecord,
  LoraReport,
  loraKey,
  type UploadLoraResponse,
} from "@zfarm/contract";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { inPieces, loraFile, sha256 } from "../test/lora-file.ts";
import { openTestFarm, type TestFarm, testArchitecture, testPool } from "../test/test-farm.ts";

// Every upload starts a thread, which is slow where many processes share few cores.
vi.setConfig({ testTimeout: 120_000 });

const name = "projects/default/loras/ink";

let farm: TestFarm;
beforeEach(async () => {
  farm = await openTestFarm();
});
afterEach(async () => {
  await farm.stop();
});

const upload = (bytes: Uint8Array, more: object = {}): Promise<UploadLoraResponse> =>
  farm.client.loras.upload(inPieces(bytes), { lora: "ink", ...more });

/** What the store and the registry hold, and what uploads have left on the disk. */
async function remains(): Promise<{ objects: number; records: number; uploads: number }> {
  const objects = (await Array.fromAsync(farm.blobs.list("loras/"))).length;
  const records = (await farm.broker.loras.listAll()).length;
  return { objects, records, uploads: (await readdir(farm.uploadDir)).length };
}

const nothing = { objects: 0, records: 0, uploads: 0 };

describe("an upload", () => {
  test("is kept by its digest and can be looked at, with what the gate found", async () => {
    const bytes = loraFile(testArchitecture, { metadata: { trigger_words: "inkwash" } });
    const about = { displayName: "Ink", labels: { style: "ink" }, triggerWords: ["ink"] };

    const { lora, version } = await upload(bytes, about);

    expect(lora).toMatchObject({ name, displayName: "Ink", triggerWords: ["ink"], pinned: false });
    expect(lora?.labels).toEqual(new Map([["style", "ink"]]));
    expect(version).toMatchObject({ version: "1", sha256: sha256(bytes), pool: "default" });
    expect(version?.report).toMatchObject({
      dialect: "ai-toolkit",
      rankMin: 4,
      ranksTaken: 16,
      alphaFrom: "rank",
      fileBytes: BigInt(bytes.length),
      triggerWords: ["inkwash"],
    });
    expect(await farm.client.loras.get(name)).toEqual(lora);
    const stored = await farm.blobs.get(loraKey(sha256(bytes) as LoraDigest));
    expect(Buffer.compare(stored ?? Buffer.alloc(0), bytes)).toBe(0);
    expect(await remains()).toEqual({ objects: 1, records: 1, uploads: 0 });
  });

  test("of the same file again is the version it was, of another file the next one", async () => {
    const first = await upload(loraFile(testArchitecture));

    expect((await upload(loraFile(testArchitecture))).version).toEqual(first.version);
    const second = await upload(loraFile(testArchitecture, { value: 0.25 }), { pinned: true });

    expect(second.version?.version).toBe("2");
    expect(second.lora?.versions.map(({ version }) => version)).toEqual(["1", "2"]);
    // What is said of an adapter is said once; later files do not change it.
    expect(second.lora?.pinned).toBe(false);
  });

  test("under a version that is another file is refused", async () => {
    await upload(loraFile(testArchitecture), { version: "v1" });

    const again = upload(loraFile(testArchitecture, { value: 0.25 }), { version: "v1" });

    await expect(again).rejects.toMatchObject({ code: "LORA_VERSION_EXISTS" });
    expect((await farm.client.loras.get(name)).versions).toHaveLength(1);
    // Not even its file is kept, and a validation says the same.
    expect(await remains()).toEqual({ objects: 1, records: 1, uploads: 0 });
    const other = loraFile(testArchitecture, { value: 0.25 });
    const validating = upload(other, { version: "v1", validateOnly: true });
    await expect(validating).rejects.toMatchObject({ code: "LORA_VERSION_EXISTS" });
  });

  test("by eight clients at one time under one name loses none and repeats no number", async () => {
    const files = Array.from({ length: 4 }, (_, at) =>
      loraFile(testArchitecture, { value: 1 + at }),
    );

    const answers = await Promise.all([...files, ...files].map((bytes) => upload(bytes)));

    const versions = (await farm.client.loras.get(name)).versions;
    expect(versions.map(({ version }) => version)).toEqual(["1", "2", "3", "4"]);
    expect(new Set(versions.map(({ sha256: digest }) => digest)).size).toBe(4);
    for (const [at, { version }] of answers.entries()) {
      expect(version?.sha256).toBe(sha256(files[at % 4] ?? Buffer.alloc(0)));
      expect(versions).toContainEqual(version);
    }
    expect(await remains()).toEqual({ objects: 4, records: 1, uploads: 0 });
  });

  test("beyond those that a gateway takes in at once is told to come again", async () => {
    const taken = Promise.withResolvers<void>();
    async function* waiting(): AsyncGenerator<Uint8Array> {
      yield Buffer.alloc(8);
      await taken.promise;
    }
    const sending = Array.from({ length: 8 }, () =>
      farm.client.loras.check(waiting()).catch(() => "refused"),
    );
    await expect.poll(async () => (await readdir(farm.uploadDir)).length).toBe(8);

    const ninth = await upload(loraFile(testArchitecture)).catch((thrown: unknown) => thrown);

    expect(ninth).toMatchObject({ code: "UPLOADS_BUSY", retryAfterMs: expect.any(Number) });
    taken.resolve();
    await Promise.all(sending);
    expect((await upload(loraFile(testArchitecture))).version?.version).toBe("1");
  });

  test("that is only to be validated keeps nothing", async () => {
    const { lora, version } = await upload(loraFile(testArchitecture), { validateOnly: true });
    const checked = await farm.client.loras.check(inPieces(loraFile(testArchitecture)));

    expect(lora).toBeUndefined();
    expect(version?.report).toEqual(checked.report);
    expect(await remains()).toEqual(nothing);
  });

  test("that its caller leaves in the middle leaves nothing", async () => {
    const caller = new AbortController();
    const bytes = loraFile(testArchitecture);
    async function* halfway(): AsyncGenerator<Uint8Array> {
      yield bytes.subarray(0, bytes.length / 2);
      await expect.poll(async () => (await readdir(farm.uploadDir)).length).toBe(1);
      caller.abort(new RangeError("enough"));
      yield bytes.subarray(bytes.length / 2);
    }

    const sending = farm.client.loras.upload(halfway(), { lora: "ink", signal: caller.signal });

    await expect(sending).rejects.toThrow("enough");
    await expect.poll(remains).toEqual(nothing);
  });
});

describe("a file is refused, and nothing of it kept,", () => {
  const good = loraFile(testArchitecture);
  const cut = good.subarray(0, -1);
  const nan = Buffer.concat([good.subarray(0, -2), Buffer.from([0xc0, 0x7f])]);
  const other = { dim: 48, layers: 2, refinerLayers: 1, ffnDim: 128, modulationDim: 48 };
  test.each<[string, Uint8Array, RegExp]>([
    ["that is cut short", cut, /bytes/],
    ["that is no safetensors file", Buffer.from("not an adapter, but text"), /./],
    ["whose header claims more than there is", Buffer.alloc(64, 0xff), /./],
    ["that holds NaN", nan, /NaN/],
    ["of another architecture", loraFile(other), /48/],
    ["with tensors of no module", loraFile(testArchitecture, { prefix: "unet.x." }), /./],
    ["that changes nothing", loraFile(testArchitecture, { value: 0 }), /./],
  ])("%s", async (_what, bytes, told) => {
    const error = await upload(bytes).catch((thrown: unknown) => thrown);

    expect(error).toMatchObject({ code: "LORA_REFUSED", message: expect.stringMatching(told) });
    expect(JSON.stringify(error)).not.toContain(farm.uploadDir);
    expect(await remains()).toEqual(nothing);
  });

  test("whose bytes are not those that were announced", async () => {
    const told = upload(good, { sha256: sha256(cut) });

    await expect(told).rejects.toMatchObject({
      code: "INVALID_REQUEST",
      violations: [{ field: "header.sha256", reason: "DIGEST_MISMATCH" }],
    });
    expect(await remains()).toEqual(nothing);
  });

  test("where the pool was never seen, or takes no adapters", async () => {
    const { loraArchitecture: _, ...bare } = { ...testPool, pool: "bare" };
    await farm.broker.pools.put(bare);

    for (const pool of ["nobody", "bare"]) {
      await expect(upload(good, { pool })).rejects.toMatchObject({ code: "NO_CAPABLE_POOL" });
    }
    expect(await remains()).toEqual(nothing);
  });
});

describe("an adapter", () => {
  beforeEach(async () => {
    await upload(loraFile(testArchitecture));
    await upload(loraFile(testArchitecture, { value: 0.25 }));
  });

  test("changes the fields that a mask names, if it is still what was seen", async () => {
    const { loras } = farm.client;
    const seen = await loras.get(name);

    const changed = await loras.update(
      name,
      { displayName: "Ink", aliases: { stable: "1" } },
      { etag: seen.etag },
    );

    expect(changed).toMatchObject({ displayName: "Ink", labels: seen.labels });
    expect(changed.aliases).toEqual(new Map([["stable", "1"]]));
    const late = loras.update(name, { pinned: true }, { etag: seen.etag });
    await expect(late).rejects.toMatchObject({ code: "CONFLICT" });
    expect(await loras.get(name)).toEqual(changed);
    // The same change again is the same change.
    expect(await loras.update(name, { displayName: "Ink" }, { etag: seen.etag })).toEqual(changed);
  });

  test.each([
    ["of a version that is not there", { stable: "3" }, "NOT_FOUND"],
    ["with the name of a version", { "2": "1" }, "DUPLICATE"],
    ["that is no name", { "A B": "1" }, "BAD_NAME"],
  ])("takes no alias %s", async (_what, aliases, reason) => {
    const changing = farm.client.loras.update(name, { aliases });

    await expect(changing).rejects.toMatchObject({
      code: "INVALID_REQUEST",
      violations: [{ field: "lora.aliases", reason }],
    });
  });

  test("lets a version go that no alias names, and not the last one", async () => {
    const { loras } = farm.client;
    await loras.update(name, { aliases: { stable: "1" } });

    const needed = loras.delete(`${name}/versions/1`);
    await expect(needed).rejects.toMatchObject({
      code: "LORA_VERSION_NEEDED",
      message: "1 has the alias stable; set it to another version first",
    });
    await loras.delete(`${name}/versions/2`);
    await expect(loras.delete(`${name}/versions/2`)).rejects.toMatchObject({
      code: "LORA_NOT_FOUND",
    });

    expect((await loras.get(name)).versions.map(({ version }) => version)).toEqual(["1"]);
    await loras.update(name, { aliases: {} });
    await expect(loras.delete(`${name}/versions/1`)).rejects.toMatchObject({
      code: "LORA_VERSION_NEEDED",
      message: "1 is the last version; delete the adapter as a whole",
    });
    // What a version meant is never given to another file.
    const third = await upload(loraFile(testArchitecture, { value: 2 }));
    expect(third.version?.version).toBe("3");
    const reused = upload(loraFile(testArchitecture, { value: 3 }), { version: "2" });
    await expect(reused).rejects.toMatchObject({ code: "LORA_VERSION_EXISTS" });
  });

  test("is gone once it is deleted, while its files stay for tasks that have them", async () => {
    const { loras } = farm.client;

    await loras.delete(name);

    await expect(loras.get(name)).rejects.toMatchObject({ code: "LORA_NOT_FOUND" });
    await expect(loras.delete(name)).rejects.toMatchObject({ code: "LORA_NOT_FOUND" });
    expect(await Array.fromAsync(loras.list())).toEqual([]);
    expect((await remains()).objects).toBe(2);
    const again = await upload(loraFile(testArchitecture), { displayName: "Anew" });
    expect(again.version?.version).toBe("3");
    expect(again.lora).toMatchObject({ displayName: "Anew", versions: [{ version: "3" }] });
  });

  test("of one project is not known to another", async () => {
    const { loras } = farm.client;
    const other = "projects/other";

    const unknown = loras.get(`${other}/loras/ink`);
    await expect(unknown).rejects.toMatchObject({ code: "LORA_NOT_FOUND" });
    expect(await Array.fromAsync(loras.list({ parent: other }))).toEqual([]);
    const own = await upload(loraFile(testArchitecture), { parent: other });
    expect(own.version?.version).toBe("1");
    expect((await remains()).objects).toBe(2);
  });
});

describe("a listing", () => {
  test("goes by name and page, and leaves out what lacks a label", async () => {
    const file = loraFile(testArchitecture);
    for (const [lora, style] of [
      ["oil", "b"],
      ["ink", "a"],
      ["gouache", "a"],
    ]) {
      await upload(file, { lora, labels: { style } });
    }
    const namesOf = async (options: object): Promise<string[]> =>
      (await Array.fromAsync(farm.client.loras.list(options))).map((lora) => lora.name);

    const all = ["gouache", "ink", "oil"].map((lora) => `projects/default/loras/${lora}`);
    expect(await namesOf({ pageSize: 1 })).toEqual(all);
    expect(await namesOf({ labels: { style: "a" } })).toEqual(all.slice(0, 2));
    expect(await namesOf({ labels: { style: "a", size: "x" } })).toEqual([]);
    const record = await farm.broker.loras.find({ project: defaultProject, lora: "oil" as LoraId });
    expect(record?.record.versions).toHaveLength(1);
  });

  test("of adapters that no single answer could hold comes in more pages", async () => {
    const report = LoraReport.create({ warnings: ["w".repeat(900_000)] });
    const version = { version: "1", sha256: "0a".repeat(32), pool: "default", report };
    const names = Array.from({ length: 12 }, (_, at) => `large-${String.fromCharCode(97 + at)}`);
    for (const lora of names) {
      const record = LoraRecord.create({ project: defaultProject, lora, versions: [{ version }] });
      await farm.broker.loras.put(record, 0n);
    }

    const listed = await Array.fromAsync(farm.client.loras.list());

    expect(listed.map((lora) => lora.name)).toEqual(
      names.map((lora) => `projects/default/loras/${lora}`),
    );
  });
});
