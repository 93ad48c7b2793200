/** A model that wants guidance, through the whole farm: by default, as asked, and off. */
import { spawnSync } from "node:child_process";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readPngMetadata } from "@zfarm/zimage";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { repositoryRoot } from "../repository.ts";
import { cliEntry, type FarmUnderTest, startFarm } from "./farm.ts";

describe("guidance", () => {
  let folder: string;
  let farm: FarmUnderTest;

  /** The shipped model with the scheduler of the base model: nothing else tells the two apart. */
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "zfarm-guidance-"));
    const model = join(folder, "base");
    await cp(join(repositoryRoot, "models/z-image-nano"), model, { recursive: true });
    const scheduler = join(model, "scheduler/scheduler_config.json");
    const settings = JSON.parse(await readFile(scheduler, "utf8")) as object;
    await writeFile(scheduler, JSON.stringify({ ...settings, shift: 6 }));
    farm = await startFarm({ workers: 1, env: { ZFARM_BROKER: "memory" }, model });
  });
  afterAll(async () => {
    expect(await farm.stop()).toBe(0);
    await rm(folder, { recursive: true });
  });

  function render(out: string, ...options: string[]): ReturnType<typeof spawnSync> {
    const always = ["--size", "64x64", "--steps", "2", "--seed", "1", "--address", farm.address];
    const args = [cliEntry, "render", "a red house", "--out", join(folder, out), ...always];
    return spawnSync(process.execPath, [...args, ...options], { encoding: "utf8" });
  }

  async function guidanceOf(out: string): Promise<unknown> {
    return readPngMetadata(await readFile(join(folder, out)))?.guidance;
  }

  test("has the model's own scale where nothing is said, and says so in the file", async () => {
    expect(render("default.png").status).toBe(0);

    expect(await guidanceOf("default.png")).toMatchObject({ scale: 4, negativePrompt: "" });
  });

  test("follows a negative prompt, and can be switched off", async () => {
    expect(render("away.png", "--guidance", "6", "--negative", "a tree").status).toBe(0);
    expect(render("off.png", "--guidance", "0").status).toBe(0);

    expect(await guidanceOf("away.png")).toMatchObject({ scale: 6, negativePrompt: "a tree" });
    expect(await guidanceOf("off.png")).toBeUndefined();
    const [away, off] = await Promise.all(
      ["away.png", "off.png"].map((name) => readFile(join(folder, name))),
    );
    expect(away).not.toEqual(off);
  });

  test("names the option that is out of its bounds", () => {
    const { status, stderr } = render("never.png", "--guidance", "21");

    expect(status).toBe(2);
    expect(stderr).toContain("--guidance 21: must be a number from 0 to 20");
  });
});
