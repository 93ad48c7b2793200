import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";
import { probeDevice } from "./probe-device.ts";
import { findWebGpuProblem, whyNot } from "./probe-webgpu.ts";

test("a machine without a Vulkan driver is told so, and no processor steps in", async () => {
  const problem = await findWebGpuProblem();
  const probing = probeDevice({ kind: "webgpu" });

  if (problem === undefined) return await expect(probing).resolves.toBeUndefined();
  expect(problem).toMatch(/^lib\S+ is missing$|^no Vulkan driver/);
  await expect(probing).rejects.toThrow(`device webgpu cannot be used: ${problem}`);
});

test("a driver that brings its process down fails the probe alone, and is named", async () => {
  const folder = await mkdtemp(join(tmpdir(), "webgpu-probe-"));
  const entry = join(folder, "crash.mjs");
  await writeFile(entry, 'process.kill(process.pid, "SIGSEGV");');
  const problem = await findWebGpuProblem(pathToFileURL(entry));
  await rm(folder, { recursive: true });

  expect(problem).toMatch(/^its Vulkan driver crashed/);
});

test.each([
  [
    { code: undefined, stdout: "", stderr: "" },
    "its Vulkan driver crashed, or did not answer within a minute",
  ],
  [
    {
      code: 1,
      stdout: "Failed to get a WebGPU adapter: No supported adapters",
      stderr: "libvulkan.so.1: cannot open shared object file: No such file or directory",
    },
    "libvulkan.so.1 is missing",
  ],
  [
    { code: 1, stdout: "Failed to get a WebGPU adapter: No supported adapters", stderr: "" },
    "no Vulkan driver offers an adapter that WebGPU takes",
  ],
  [{ code: 1, stdout: "device lost", stderr: "" }, "device lost"],
  [{ code: 7, stdout: "", stderr: "" }, "its probe ended with code 7"],
])("the end of a probe is said in words: case %#", (end, words) => {
  expect(whyNot(end)).toBe(words);
});
