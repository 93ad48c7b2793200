/** An adapter's way through a whole farm, by the commands that people type. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openModelDirectory } from "@zfarm/zimage";
import { type LoraArchitecture, loraArchitectureOf } from "@zfarm/zimage/lora";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { repositoryRoot } from "../repository.ts";
import { cliEntry, type FarmUnderTest, hasNatsServer, startFarm } from "./farm.ts";
import { styleLora } from "./style-lora.ts";

const modelDir = join(repositoryRoot, "models/z-image-nano");
const folder = mkdtempSync(join(tmpdir(), "zfarm-loras-"));
const file = (name: string): string => join(folder, name);

describe.runIf(await hasNatsServer())("adapters on a whole farm", () => {
  let farm: FarmUnderTest;
  let architecture: LoraArchitecture;

  function zfarm(...args: string[]): { code: number | null; lines: string[]; notes: string } {
    const address =
      args[0] === "lora" && args.includes("--model") ? [] : ["--address", farm.address];
    const result = spawnSync(process.execPath, [cliEntry, ...args, ...address], {
      cwd: folder,
      encoding: "utf8",
    });
    return { code: result.status, lines: result.stdout.trim().split("\n"), notes: result.stderr };
  }

  /** The bytes of a picture drawn with these adapters, always of the same seed. */
  function draw(out: string, ...loras: string[]): Buffer {
    const args = loras.flatMap((lora) => ["--lora", lora]);
    const size = ["--size", "128x128", "--steps", "2", "--seed", "7"];
    const run = zfarm("render", "a red house", ...size, "--out", out, ...args);
    expect(run.notes).toContain("completed");
    expect(run.code).toBe(0);
    return readFileSync(file(out));
  }

  beforeAll(async () => {
    const { transformer } = await openModelDirectory(modelDir);
    architecture = loraArchitectureOf(transformer.config);
    writeFileSync(file("ink.safetensors"), styleLora(architecture, { seed: 1 }));
    writeFileSync(file("oil.safetensors"), styleLora(architecture, { seed: 2 }));
    writeFileSync(file("cut.safetensors"), styleLora(architecture, { seed: 1 }).subarray(0, -9));
    farm = await startFarm({ workers: 1 });
  });
  afterAll(async () => {
    await farm.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  test("are checked without a farm and with one, to the same words", () => {
    const here = zfarm("lora", "check", "ink.safetensors", "--model", modelDir);
    const there = zfarm("lora", "check", "ink.safetensors");

    expect(here.code).toBe(0);
    expect(here.lines).toEqual(there.lines);
    expect(here.lines.join("\n")).toMatch(/dialect +ai-toolkit/);
    for (const args of [["--model", modelDir], []]) {
      const cut = zfarm("lora", "check", "cut.safetensors", ...args);
      expect(cut.code).toBe(1);
      expect(cut.notes).toContain("LORA_REFUSED");
    }
  });

  test("change pictures as strongly as told, mixed and by any of their names", () => {
    const added = ["ink", "oil"].map((name) => {
      const words = ["--label", "kind=style", "--word", `${name} style`];
      return zfarm("lora", "add", `${name}.safetensors`, "--name", name, ...words).lines.at(-1);
    });
    expect(added).toEqual(["ink@1", "oil@1"]);

    const bare = draw("bare.png");
    const ink = draw("ink.png", "ink");
    expect(ink.equals(bare)).toBe(false);
    expect(draw("half.png", "ink:0.5").equals(ink)).toBe(false);
    expect(draw("both.png", "ink", "oil").equals(ink)).toBe(false);
    expect(draw("again.png", "ink@1:1").equals(ink)).toBe(true);
    // Nothing of an adapter is left in the model.
    expect(draw("bare-again.png").equals(bare)).toBe(true);
  });

  test("are where they were used last, and fetched ahead of any task", async () => {
    expect(zfarm("lora", "where", "ink").lines.at(-1)).toMatch(/(device|ram)$/);
    const known = zfarm("lora", "prefetch", "ink");
    expect(known.notes).toContain("1 workers had it");
    expect(known.lines).toEqual([""]);

    writeFileSync(file("grain.safetensors"), styleLora(architecture, { seed: 3 }));
    zfarm("lora", "add", "grain.safetensors", "--name", "grain");
    expect(zfarm("lora", "where", "grain").lines).toHaveLength(1);
    const told = zfarm("lora", "prefetch", "grain", "--workers", "9");

    expect(told.lines).toHaveLength(1);
    const where = () => zfarm("lora", "where", "grain").lines.at(-1);
    await expect.poll(where, { timeout: 30_000, interval: 500 }).toMatch(/(device|ram|disk)$/);
    expect(zfarm("lora", "rm", "grain").code).toBe(0);
  });

  test("are listed, shown, named by aliases and removed", () => {
    expect(zfarm("lora", "list", "--label", "kind=style").lines.slice(1)).toEqual([
      expect.stringMatching(/^ink +1 .*ink style +kind=style$/),
      expect.stringMatching(/^oil +1 /),
    ]);
    expect(zfarm("lora", "alias", "ink", "stable=1").lines.join("\n")).toContain("stable=1");
    expect(zfarm("lora", "pin", "ink").lines.at(-1)).toMatch(/yes/);
    expect(zfarm("lora", "show", "ink").lines[0]).toMatch(/projects\/default\/loras\/ink/);

    expect(zfarm("lora", "rm", "oil").code).toBe(0);

    const late = zfarm("render", "a red house", "--lora", "oil");
    expect(late.code).toBe(1);
    expect(late.notes).toMatch(/image\.loras\[0\]\.lora: project default has no adapter oil/);
    expect(zfarm("lora", "list").lines).toHaveLength(2);
  });
});
