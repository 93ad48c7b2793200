/** The client example of the README runs as it stands, but for the address. */
import { spawnSync } from "node:child_process";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readText } from "../repository.ts";
import { type FarmUnderTest, startFarm } from "./farm.ts";

describe("README", () => {
  let farm: FarmUnderTest;

  beforeAll(async () => {
    farm = await startFarm({ workers: 1, env: { ZFARM_BROKER: "memory" } });
  });
  afterAll(async () => {
    expect(await farm.stop()).toBe(0);
  });

  test("its TypeScript example renders a job and sees its end", () => {
    const [, example = ""] = /```ts\n([\s\S]*?)```/.exec(readText("README.md")) ?? [];
    const code = example.replace("127.0.0.1:7070", farm.address);

    const run = spawnSync(process.execPath, ["--input-type=module-typescript", "--eval", code], {
      cwd: dirname(fileURLToPath(import.meta.url)),
      encoding: "utf8",
    });

    expect(code).not.toBe(example);
    expect(run.stderr).toBe("");
    expect(run.stdout.match(/'taskEnded'/g)).toHaveLength(2);
    expect(run.stdout.match(/'jobEnded'/g)).toHaveLength(1);
  });
});
