import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { runNatsUsers } from "./nats-users.ts";

describe("zfarm nats-users", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "zfarm-users-"));
  });
  afterEach(() => rm(folder, { recursive: true }));

  it("makes a key for each service and pool, which its owner alone may read", async () => {
    await run("--pool", "default", "--pool", "sketch");
    const files = ["bootstrap", "gateway", "scheduler", "worker-default", "worker-sketch"];
    expect(await readdir(join(folder, "keys"))).toEqual(files.map((name) => `${name}.creds`));
    expect((await stat(join(folder, "keys/gateway.creds"))).mode & 0o777).toBe(0o600);
  });

  it("keeps the keys that are there when it is repeated, and adds new ones", async () => {
    const [before, after] = [await run(), await run("--pool", "default", "--pool", "sketch")];
    expect(after.map(({ nkey }) => nkey)).toEqual([
      ...before.map(({ nkey }) => nkey),
      expect.stringMatching(/^U/),
    ]);
  });

  it("gives the rights of each shard where there are several", async () => {
    const [, scheduler] = await run("--shards", "2");
    const publish = scheduler?.permissions.publish.allow;
    expect(publish).toContain("$KV.leader.scheduler");
    expect(publish).toContain("$KV.leader-1.scheduler");
    expect(publish).not.toContain("$KV.leader-2.scheduler");
  });

  it("names what is wrong and makes nothing of it", async () => {
    await expect(run("--pool", "Big")).rejects.toThrow("--pool must be 1 to 63 of a-z 0-9 -");
    await expect(run("--shards", "0")).rejects.toThrow("--shards 0: must be a whole number from 1");
    expect(await readdir(folder)).toEqual([]);
    await run();
    await writeFile(join(folder, "keys/gateway.creds"), "secret");
    await expect(run()).rejects.toThrow("gateway.creds holds no seed of a user's nkey");
  });

  async function run(...args: string[]) {
    const terminal = { print: () => {}, note: () => {}, progress: () => {} };
    const stop = new AbortController().signal;
    await runNatsUsers({ args: ["--out", folder, ...args], env: {}, terminal, stop });
    const text = await readFile(join(folder, "users.json"), "utf8");
    return JSON.parse(text) as {
      readonly nkey: string;
      readonly permissions: { readonly publish: { readonly allow: readonly string[] } };
    }[];
  }
});
