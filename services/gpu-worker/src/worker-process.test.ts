import { spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdtemp, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, test } from "vitest";

const nanoDir = fileURLToPath(new URL("../../../models/z-image-nano", import.meta.url));
const workerEntry = fileURLToPath(new URL("../testing/memory-worker.ts", import.meta.url));
const copies: string[] = [];

afterEach(async () => {
  await Promise.all(copies.splice(0).map((path) => rm(path, { recursive: true })));
});

/** A copy of the model that ships, to be broken. */
async function copyModel(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "zfarm-model-"));
  copies.push(path);
  await cp(nanoDir, path, { recursive: true });
  return path;
}

function spawnWorker(modelDir: string) {
  const env = { PATH: process.env["PATH"], MODEL_DIR: modelDir, WORKER_THREADS: "1" };
  return spawn(process.execPath, [workerEntry], { env, stdio: ["ignore", "pipe", "pipe"] });
}

/** Runs a worker over the model until it ends by itself. */
async function runWorker(modelDir: string) {
  const worker = spawnWorker(modelDir);
  const ended = once(worker, "close");
  const [stdout, stderr] = await Promise.all([text(worker.stdout), text(worker.stderr)]);
  const [code] = await ended;
  const errors = stdout
    .split("\n")
    .filter((line) => line.includes('"level":"error"'))
    .map((line) => JSON.parse(line));
  return { code, stderr, errors };
}

async function expectRefusal(modelDir: string, file: string): Promise<void> {
  const { code, stderr, errors } = await runWorker(modelDir);

  expect(code).toBe(1);
  expect(stderr).toContain(`cannot use model directory ${modelDir}`);
  expect(stderr).toContain(file);
  expect(errors).toHaveLength(1);
  expect(errors[0].error.message).toContain(file);
}

describe("a worker refuses to start and names the file", () => {
  test("of a model directory that is not there", async () => {
    await expectRefusal(join(tmpdir(), "zfarm-no-such-model"), "zfarm-no-such-model is missing");
  });

  test("that is missing", async () => {
    const model = await copyModel();
    await rm(join(model, "vae", "config.json"));

    await expectRefusal(model, "vae/config.json");
  });

  test("that was cut short", async () => {
    const model = await copyModel();
    const files = await readdir(join(model, "transformer"));
    const shard = files.findLast((file) => file.endsWith(".safetensors")) ?? "";
    await truncate(join(model, "transformer", shard), 1_000_000);

    await expectRefusal(model, shard);
  });

  test("whose tensors have other shapes than the configuration says", async () => {
    const model = await copyModel();
    const config = join(model, "transformer", "config.json");
    const values = JSON.parse(await readFile(config, "utf8"));
    await writeFile(config, JSON.stringify({ ...values, n_layers: values.n_layers + 1 }));

    await expectRefusal(model, "transformer");
  });

  test("whose architecture is unknown", async () => {
    const model = await copyModel();
    const index = { _class_name: "StableDiffusionPipeline", _diffusers_version: "0.30.0" };
    await writeFile(join(model, "model_index.json"), JSON.stringify(index));

    await expectRefusal(model, "model_index.json");
  });
});

test("a worker over the model that ships gets ready, and ends with 0 when told to", async () => {
  const worker = spawnWorker(nanoDir);
  const ended = once(worker, "close");
  for await (const line of createInterface({ input: worker.stdout })) {
    if (line.includes('"app is ready"')) worker.kill("SIGTERM");
  }

  expect(await ended).toEqual([0, null]);
});
