import { describe, expect, it } from "vitest";
import type { Caption } from "./caption-cache.ts";
import { CaptionCache } from "./caption-cache.ts";

const caption = (prompt: string, floats = 1): Caption => ({
  prompt,
  data: new Float32Array(floats),
  length: 1,
});

describe("CaptionCache", () => {
  it("forgets the caption that was used longest ago", () => {
    const cache = new CaptionCache(8);
    cache.put(caption("a"));
    cache.put(caption("b"));
    cache.get("a");

    cache.put(caption("c"));

    expect(["a", "b", "c"].map((prompt) => cache.get(prompt)?.prompt)).toEqual([
      "a",
      undefined,
      "c",
    ]);
  });

  it("counts a prompt that is put twice once", () => {
    const cache = new CaptionCache(8);
    cache.put(caption("a"));
    cache.put(caption("a"));

    cache.put(caption("b"));

    expect(cache.get("a")).toBeDefined();
    expect(cache.get("b")).toBeDefined();
  });

  it("does not keep what is larger than the whole cache", () => {
    const cache = new CaptionCache(8);
    cache.put(caption("a", 3));

    expect(cache.get("a")).toBeUndefined();
  });
});
