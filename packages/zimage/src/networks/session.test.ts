import { execFile } from "node:child_process";
import { mkdtemp, readdir, rm, truncate } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { writeTextEncoder } from "../../test/filled-checkpoint.ts";
import { tinyTextEncoder } from "../../test/tiny-networks.ts";
import { ModelBuilder } from "../graph/model-builder.ts";
import { buildTextEncoderGraph } from "../graph/text-encoder-graph.ts";
import { openSession } from "./session.ts";

const noWeights = { folder: "/", tensors: new Map() };

test("a weight file that lost its end is refused when the session opens", async () => {
  await using checkpoint = await writeTextEncoder(tinyTextEncoder);
  const { folder } = checkpoint.index;
  const model = buildTextEncoderGraph(tinyTextEncoder, checkpoint.index);
  await truncate(join(folder, "model.safetensors"), 5000);

  await expect(openSession(model, folder)).rejects.toMatchObject({ code: "ENGINE_FAILED" });
});

test("a model the engine does not know is refused with the engine's reason", async () => {
  const builder = new ModelBuilder(noWeights);
  const input = builder.input("x", "float", ["n"]);
  builder.output("y", builder.node("NoSuchOperator", [input]), ["n"]);

  await expect(openSession(builder.toBytes("odd"), "/")).rejects.toThrow("NoSuchOperator");
});

test("a run that the graph refuses fails and leaves the session usable", async () => {
  const builder = new ModelBuilder(noWeights);
  const input = builder.input("x", "float", [2]);
  builder.output("y", builder.node("Add", [input, input]), [2]);
  const session = await openSession(builder.toBytes("double"), "/");
  const wrong = session.run({ x: { data: new Float32Array(3), dims: [3] } });

  await expect(wrong).rejects.toMatchObject({ code: "ENGINE_FAILED" });
  const right = await session.run({ x: { data: Float32Array.of(1, 2), dims: [2] } });
  expect([...right]).toEqual([2, 4]);
  await session.close();
});

test("the engine keeps no notes about who runs it on what", async () => {
  const home = await mkdtemp(join(tmpdir(), "zfarm-home-"));
  const entry = new URL("session.ts", import.meta.url).href;
  const script = `import { openSession } from ${JSON.stringify(entry)};
    await openSession(new Uint8Array([1]), "/").catch(() => {});`;

  await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", script], {
    env: { HOME: home, TMPDIR: home, XDG_CACHE_HOME: home },
  });
  expect(await readdir(home)).toEqual([]);
  await rm(home, { recursive: true });
});
