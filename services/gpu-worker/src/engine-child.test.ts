import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { stubEngine } from "../testing/engine-harness.ts";
import { startEngineChild } from "./engine-child.ts";

test.runIf(process.platform === "linux")("an engine asks for large pages", async () => {
  const settings = { modelDir: stubEngine.modelDir, device: "cpu", threads: 1, batchMax: 1 };
  const { promise: ready, resolve: onEvent } = Promise.withResolvers<unknown>();
  const { promise: ended, resolve: onExit } = Promise.withResolvers<unknown>();
  const child = startEngineChild({ entry: stubEngine.entry, settings, onEvent, onExit });

  await ready;
  const environment = (await readFile(`/proc/${child.pid}/environ`, "utf8")).split("\0");
  child.kill();
  await ended;

  expect(environment.find((line) => line.startsWith("GLIBC_TUNABLES="))).toContain(
    "glibc.malloc.hugetlb=1",
  );
});
