import { describe, expect, test } from "vitest";
import {
  defaultProject,
  type JobId,
  type LoraDigest,
  type LoraId,
  type ProjectId,
  parseProjectId,
} from "./ids.ts";
import {
  imageKey,
  latentsKey,
  loraCopyKey,
  loraKey,
  manifestKey,
  manifestPrefix,
  outcomeCopyKey,
  parseAttemptKey,
  parseLoraCopyKey,
  parseLoraKey,
  parseManifestKey,
} from "./object-keys.ts";

const job = "a".repeat(26) as JobId;
const task = { project: defaultProject, job, index: 7 };

describe("keys of the object store", () => {
  test("an attempt's objects lie below its task, told apart by the fence", () => {
    expect(imageKey(task, 9n)).toBe(`default/${job}/7/9.png`);
    expect(outcomeCopyKey(task, 9n)).toBe(`default/${job}/7/9.outcome`);
    expect(latentsKey(task, 9n)).toBe(`default/${job}/7/9.latents`);
  });

  test("an attempt's key tells whose it is", () => {
    const fence = 2n ** 64n - 1n;

    expect(parseAttemptKey(imageKey(task, fence))).toEqual({ task, fence, kind: "image" });
    expect(parseAttemptKey(latentsKey(task, 9n))).toEqual({ task, fence: 9n, kind: "latents" });
    expect(parseAttemptKey(outcomeCopyKey(task, 0n))).toEqual({
      task,
      fence: 0n,
      kind: "outcome-copy",
    });
  });

  test("files and records of adapters are told by their keys, and from all else", () => {
    const digest = "0a".repeat(32) as LoraDigest;
    const name = { project: defaultProject, lora: "ink" as LoraId };

    expect(parseLoraKey(loraKey(digest))).toBe(digest);
    expect(parseLoraCopyKey(loraCopyKey(name))).toEqual(name);
    for (const key of [imageKey(task, 9n), manifestKey(task), "loras/x.safetensors", "loras/"]) {
      expect(parseLoraKey(key)).toBeUndefined();
      expect(parseLoraCopyKey(key)).toBeUndefined();
    }
    expect(parseAttemptKey(loraKey(digest))).toBeUndefined();
  });

  test.each([
    manifestKey(task),
    "adapters/x.safetensors",
    `default/${job}/7/9.jpg`,
    `default/${job}/07/9.png`,
    `default/${job}/7/x/9.png`,
    `default/${job}/7/-9.png`,
    `Default/${job}/7/9.png`,
    "default/short/7/9.png",
  ])("%s is no attempt's", (key) => {
    expect(parseAttemptKey(key)).toBeUndefined();
  });

  test("a manifest's key tells the job, and no other key does", () => {
    expect(parseManifestKey(manifestKey(task))).toEqual({ project: defaultProject, job });
    for (const key of [`_manifests/default/${job}`, `_manifests/${job}.bin`, imageKey(task, 1n)]) {
      expect(parseManifestKey(key)).toBeUndefined();
    }
  });

  test("no project can put anything where manifests lie", () => {
    const folder = manifestPrefix.slice(0, -1);

    expect(parseProjectId(folder)).toBeUndefined();
    const names = ["manifests", "m-anifests", "z"] as ProjectId[];
    for (const project of names) {
      expect(imageKey({ ...task, project }, 1n).startsWith(manifestPrefix)).toBe(false);
    }
  });
});
