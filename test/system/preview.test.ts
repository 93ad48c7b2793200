/** Small pictures of what is being drawn, from the engine to a file of the one who asked. */
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cliEntry, type FarmUnderTest, hasNatsServer, startFarm } from "./farm.ts";

describe.skipIf(!(await hasNatsServer()))("zfarm render --preview", () => {
  let farm: FarmUnderTest;

  beforeAll(async () => {
    farm = await startFarm({ workers: 1 });
  });
  afterAll(async () => {
    expect(await farm.stop()).toBe(0);
  });

  test("keeps a file up to date while the picture is drawn", async () => {
    const [preview, out] = [join(farm.dataDir, "preview.jpg"), join(farm.dataDir, "out.png")];
    const picture = ["render", "a castle", "--size", "256x256", "--steps", "50"];
    const files = ["--out", out, "--preview", preview, "--address", farm.address];

    await promisify(execFile)(process.execPath, [cliEntry, ...picture, ...files]);

    expect([...(await readFile(preview)).subarray(0, 2)]).toEqual([0xff, 0xd8]);
    expect((await readFile(out)).subarray(1, 4).toString()).toBe("PNG");
  });
});
