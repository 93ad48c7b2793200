import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { shippedModelDir } from "../farm/local-farm.ts";
import { UsageError } from "../usage-error.ts";
import { runModel } from "./model.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "zfarm-model-"));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

/** Runs `zfarm model ...` and gives what it printed. */
const run = (...args: string[]): Promise<string> => runWith({}, ...args);

async function runWith(env: Record<string, string>, ...args: string[]): Promise<string> {
  const lines: string[] = [];
  const terminal = {
    print: (line: string) => lines.push(line),
    note: () => {},
    progress: () => {},
  };
  await runModel({ args, env, terminal, stop: new AbortController().signal });
  return lines.join("\n");
}

describe("zfarm model check", () => {
  it("says what a model is and how it runs here", async () => {
    const said = await run("check", shippedModelDir);

    expect(said).toMatch(/transformer +163 tensors, 6,313,472 parameters, BF16/);
    expect(said).toMatch(/member +turbo/);
    expect(said).toMatch(/runs as fp32/);
  });

  it("reads every weight when asked to", async () => {
    const said = await run("check", shippedModelDir, "--deep");

    expect(said).toContain("every weight is finite");
    expect(said).toMatch(/^[0-9a-f]{64} {2}text_encoder\/model.safetensors$/m);
  });

  it("refuses a directory that holds no model", async () => {
    await expect(run("check", folder)).rejects.toEqual(
      expect.objectContaining({ code: "MODEL_INVALID" }),
    );
  });
});

describe("zfarm model prepare", () => {
  it("writes a model that passes the check", async () => {
    const out = join(folder, "small");

    expect(await run("prepare", shippedModelDir, "--weights", "int4", "--out", out)).toBe(out);
    const said = await run("check", out, "--deep");
    expect(said).toMatch(/as zfarm.json says/);
    // Nothing is prepared in float32: what it was made from runs in it.
    expect(said).toMatch(/^runs as int4, .*; better: what \S+ was made from as it is, in fp32 \(/m);
  });

  it.each([
    [["prepare", shippedModelDir], "--weights is missing: must be bf16, int8, int4"],
    [["prepare", shippedModelDir, "--weights", "int3"], "--weights int3: must be"],
    [["convert", shippedModelDir], "model takes check DIR"],
    [["check"], "model takes check DIR"],
  ])("does not understand %j", async (args, message) => {
    const call = run(...args);

    await expect(call).rejects.toThrow(UsageError);
    await expect(call).rejects.toThrow(message);
  });
});

describe("zfarm model fetch", () => {
  it("brings a model from the store that the environment names", async () => {
    const store = join(folder, "store");
    await cp(shippedModelDir, join(store, "models/nano"), { recursive: true });

    const target = join(folder, "model");
    await runWith({ BLOBS_DIR: store }, "fetch", "models/nano", target);

    expect(await run("check", target, "--deep")).toContain("every weight is finite");
  });

  it("names what is wrong", async () => {
    const nowhere = run("fetch", "models/nano", folder);
    await expect(nowhere).rejects.toMatchObject({
      problems: ["neither S3_ENDPOINT nor BLOBS_DIR is set; set one"],
    });
    const wrong = runWith({ BLOBS_DIR: folder }, "fetch", "models/", folder);
    await expect(wrong).rejects.toThrow("PREFIX must be of A-Z a-z 0-9 . _ - /");
    await expect(run("fetch", "models/nano")).rejects.toThrow(UsageError);
  });
});
