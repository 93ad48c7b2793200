/** How pictures come by their adapters: names are looked up once, when a picture is accepted. */
import {
  defaultProject,
  type LoraId,
  LoraRecord,
  LoraReport,
  LoraTier,
  type LoraUse,
  type TaskSpec,
} from "@zfarm/contract";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openTestFarm, type TestFarm, testArchitecture, testPool } from "../test/test-farm.ts";

const name = "projects/default/loras/ink";
const digests = ["0a", "0b", "0c"].map((pair) => pair.repeat(32));
const [first = "", second = "", third = ""] = digests;

let farm: TestFarm;
beforeEach(async () => {
  farm = await openTestFarm();
  await register(2);
});
afterEach(async () => {
  await farm.stop();
});

/** What uploads of so many files leave in the registry; the files themselves are not looked at. */
async function register(count: number, architecture = testArchitecture): Promise<void> {
  const { loras } = farm.broker;
  const ink = { project: defaultProject, lora: "ink" as LoraId };
  const standing = await loras.find(ink);
  const report = LoraReport.create({ ranksTaken: 16, deviceBytes: 1_000n });
  const versions = digests.slice(0, count).map((sha256, at) => {
    const version = { version: String(at + 1), sha256, pool: "default", report };
    return { version, architecture };
  });
  const record = standing?.record ?? LoraRecord.create(ink);
  const put = await loras.put({ ...record, versions }, standing?.revision ?? 0n);
  expect(put).not.toBe("conflict");
}

const images = (...loras: LoraUse[]) => [{ prompt: "a house" }, { prompt: "a boat", loras }];
const use = (lora: string, weight?: number): LoraUse => ({ lora, weight });

/** The second task of a job whose second picture has these adapters. */
async function accepted(...loras: LoraUse[]): Promise<TaskSpec | undefined> {
  await farm.client.createJob({ images: images(...loras) });
  return (await farm.queued()).at(-1)?.task.spec;
}

const digestsOf = (spec: TaskSpec | undefined) => spec?.stack?.adapters.map(({ digest }) => digest);

describe("a picture with an adapter", () => {
  test("carries the digest, what it takes and how strongly it acts", async () => {
    await farm.client.loras.update(name, { pinned: true });

    const spec = await accepted(use("ink@1", -0.5), use("ink@2"));

    expect(spec?.stack?.adapters).toMatchObject([
      { digest: first, weight: -0.5, rank: 16, pinned: true },
      { digest: second, weight: 1, rank: 16, pinned: true },
    ]);
    expect(spec?.stack?.adapters[0]?.sizeBytes).toBeGreaterThan(0n);
    expect(spec?.image?.loras).toEqual([use(first, -0.5), use(second, 1)]);
    // Its neighbour without one draws with the bare model.
    expect((await farm.queued())[0]?.task.spec).toMatchObject({ stack: undefined });
  });

  test.each<[string, string, string]>([
    ["ink", "the newest version", second],
    ["ink@latest", "the newest version", second],
    ["ink@1", "that version", first],
    ["ink@stable", "what the alias stands for", first],
    [first, "the file of that digest", first],
  ])("named as %s means %s", async (lora, _meaning, digest) => {
    await farm.client.loras.update(name, { aliases: { stable: "1" } });

    expect(digestsOf(await accepted(use(lora)))).toEqual([digest]);
  });

  test("means what the alias latest says where it is set", async () => {
    await farm.client.loras.update(name, { aliases: { latest: "1" } });

    expect(digestsOf(await accepted(use("ink")))).toEqual([first]);
    expect(digestsOf(await accepted(use("ink@latest")))).toEqual([first]);
  });

  test("keeps its file when the name comes to mean another", async () => {
    const before = await accepted(use("ink"));
    await register(3);

    expect(digestsOf(await accepted(use("ink")))).toEqual([third]);
    expect(digestsOf((await farm.queued())[1]?.task.spec)).toEqual(digestsOf(before));
  });

  test("is told by its digest in the answer, which can be sent again", async () => {
    const rendering = farm.client.renderImage({ prompt: "a house", loras: [use("ink", 0.5)] });
    const [task] = await farm.take();
    if (task !== undefined) await farm.succeed(task);

    const { image } = await rendering;

    expect(image?.spec?.loras).toEqual([use(second, 0.5)]);
    await farm.client.loras.update(name, { aliases: { latest: "1" } });
    expect(digestsOf(await accepted(...(image?.spec?.loras ?? [])))).toEqual([second]);
  });

  test("keeps its digest when it is tried again, though the adapter was deleted", async () => {
    const job = await farm.client.createJob({ images: images(use("ink", 1.5)) });
    const tasks = await farm.take(2);
    for (const task of tasks) await farm.fail(task, "NAN_OUTPUT");
    await farm.client.loras.delete(name);

    await farm.client.retryJob(job.name);

    const retried = (await farm.queued()).map(({ task }) => task.spec);
    expect(retried.map((spec) => spec?.stack)).toEqual(tasks.map((task) => task.stack));
    expect(retried[1]?.image).toEqual(tasks[1]?.image);
  });

  test("is not tried again where its pool has another model by now", async () => {
    const job = await farm.client.createJob({ images: images(use("ink@1")) });
    for (const task of await farm.take(2)) await farm.fail(task, "NAN_OUTPUT");
    await register(1, { ...testArchitecture, layers: 3 });

    await expect(farm.client.retryJob(job.name)).rejects.toMatchObject({
      code: "NO_CAPABLE_POOL",
      message: `adapter ${first} is for another model than that of pool default`,
    });
  });

  test("is the same request however often it comes, whatever the name means by then", async () => {
    const options = { images: images(use("ink")), requestId: "once" };
    const job = await farm.client.createJob(options);
    await register(3);

    expect((await farm.client.createJob(options)).name).toBe(job.name);
    expect(await farm.queued()).toHaveLength(2);
  });
});

describe("a picture is refused", () => {
  const refusalOf = async (...loras: LoraUse[]): Promise<unknown> =>
    await farm.client.createJob({ images: images(...loras) }).then(
      () => "accepted",
      (error: unknown) => error,
    );
  const unknown = (field: string) => ({
    code: "LORA_NOT_FOUND",
    violations: [{ field, reason: "NOT_FOUND" }],
  });

  test.each(["oil", "ink@3", "ink@stable", "0f".repeat(32)])("that names %s", async (lora) => {
    expect(await refusalOf(use("ink"), use(lora))).toMatchObject(
      unknown("images[1].loras[1].lora"),
    );
    expect(await farm.queued()).toEqual([]);
  });

  test("that names what was deleted, or what is another project's", async () => {
    const spec = { prompt: "a house", loras: [use("ink")] };
    const parent = "projects/other";
    for (const lora of ["ink", first]) {
      const rendering = farm.client.renderImage({ ...spec, loras: [use(lora)] }, { parent });
      await expect(rendering).rejects.toMatchObject(unknown("image.loras[0].lora"));
    }

    await farm.client.loras.delete(name);

    const streaming = Array.fromAsync(farm.client.streamRender(spec));
    await expect(streaming).rejects.toMatchObject(unknown("image.loras[0].lora"));
    expect(await farm.queued()).toEqual([]);
  });

  test("that names one file twice, each time in another way", async () => {
    expect(await refusalOf(use("ink@1"), use(first))).toMatchObject({
      code: "INVALID_REQUEST",
      violations: [{ field: "images[1].loras[1].lora", reason: "DUPLICATE" }],
    });
  });

  test("that needs more ranks than the pool has, or another model", async () => {
    const dim = { ...testArchitecture, layers: 3 };
    await farm.broker.pools.put({ ...testPool, pool: "small", rankBudget: 16 });
    await farm.broker.pools.put({ ...testPool, pool: "other", loraArchitecture: dim });
    const { rankBudget: _, ...bare } = testPool;
    await farm.broker.pools.put({ ...bare, pool: "bare" });
    const told: [string, RegExp][] = [
      ["small", /images\[1\]: the adapters have rank 32 together; pool small takes 16/],
      ["other", /adapter ink@1 is for another model than that of pool other/],
      ["bare", /pool bare draws with the bare model only/],
    ];

    for (const [pool, message] of told) {
      const loras = [use("ink@1"), use("ink@2")];
      const creating = farm.client.createJob({ images: images(...loras), pool });
      await expect(creating).rejects.toMatchObject({
        code: "NO_CAPABLE_POOL",
        message: expect.stringMatching(message),
      });
    }
    expect(await farm.queued()).toEqual([]);
  });
});

describe("where an adapter is", () => {
  test("is asked of the leader, by the digest that the name means now", async () => {
    const { loras } = farm.client;

    expect(await loras.residency("ink")).toEqual([{ worker: "workers/one", tier: LoraTier.RAM }]);
    expect(await loras.prefetch("ink@1", { workers: 2 })).toEqual({
      workers: ["workers/two"],
      ready: 1,
    });

    expect(farm.asked).toMatchObject([
      { project: "default", pool: "default", digest: second },
      { project: "default", pool: "default", workers: 2, lora: { digest: first, rank: 16 } },
    ]);
  });

  test("is asked of no leader where nobody could have it", async () => {
    const { loras } = farm.client;
    await farm.broker.pools.put({ ...testPool, pool: "small", rankBudget: 8 });

    await expect(loras.residency("oil")).rejects.toMatchObject({ code: "LORA_NOT_FOUND" });
    const nowhere = loras.prefetch("ink", { pool: "nowhere" });
    await expect(nowhere).rejects.toMatchObject({ code: "POOL_NOT_FOUND" });
    const small = loras.prefetch("ink", { pool: "small" });
    await expect(small).rejects.toMatchObject({ code: "NO_CAPABLE_POOL" });
    expect(farm.asked).toEqual([]);
  });
});
