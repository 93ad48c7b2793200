import fc from "fast-check";
import { expect, test } from "vitest";
import { createLease } from "../../testing/scripted-leader.ts";
import { HeldTask } from "./held-tasks.ts";
import { buildSuccess, queueMsOf } from "./outcome.ts";

const image = { prompt: "", width: 64, height: 64, steps: 8, seed: 1n, loras: [] };

function heldSince(createMs: number, grantedMs: number): HeldTask {
  const identity = { project: "default", job: "", index: 0, pool: "default" };
  const spec = { ...identity, image, createTime: new Date(createMs) };
  return new HeldTask({ ...createLease(0), spec }, image, grantedMs);
}

test("the queue time runs from acceptance to the lease", () => {
  expect(queueMsOf(heldSince(1_000, 4_500))).toBe(3_500);
});

test("clocks that disagree give no negative queue time", () => {
  expect(queueMsOf(heldSince(5_000, 4_500))).toBe(0);
});

test("a stage's duration keeps microseconds and stays within one second of nanos", () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1e7, noNaN: true }), (ms) => {
      const stages = { queueMs: ms, textEncodeMs: 0, vaeDecodeMs: 0, encodeFileMs: 0, uploadMs: 0 };
      const picture = { worker: "w", modelDigest: "d", key: "k", fence: 1n, sha256: "s" };
      const timings = { ...stages, denoiseMs: 0, deviceMs: 0 };

      const outcome = buildSuccess(heldSince(0, 0), {
        ...picture,
        sizeBytes: 1,
        timings,
        endMs: 0,
      });
      const { seconds, nanos } = outcome.image?.timings?.queue ?? { seconds: -1n, nanos: -1 };

      expect(nanos).toBeLessThan(1_000_000_000);
      expect(nanos).toBeGreaterThanOrEqual(0);
      expect(Math.abs(Number(seconds) * 1e3 + nanos / 1e6 - ms)).toBeLessThan(0.001);
    }),
  );
});
