import type { PoolId } from "@zfarm/contract";
import { describe, expect, test } from "vitest";
import { parseAutoscalerFile } from "./autoscaler-file.ts";

function parse(value: unknown) {
  const problems: string[] = [];
  const text = typeof value === "string" ? value : JSON.stringify(value);
  const file = parseAutoscalerFile(text, (problem) => problems.push(problem));
  return { file, problems };
}

describe("the autoscaler's file", () => {
  test("needs nothing of a pool but its target", () => {
    const { file, problems } = parse({ pools: { default: { target: "zfarm-worker-default" } } });

    expect(problems).toEqual([]);
    expect(file.tickMs).toBe(5_000);
    expect(file.gpuBudget).toBeUndefined();
    expect(file.pools.get("default" as PoolId)).toEqual({
      target: "zfarm-worker-default",
      goals: {
        min: 0,
        max: 10,
        warm: 1,
        gpusPerWorker: 1,
        startWithinMs: { interactive: 30_000, standard: 120_000, batch: 900_000 },
        idleToZeroMs: 600_000,
        holdMs: 180_000,
        weight: 1,
      },
    });
  });

  test("sets everything that it names", () => {
    const pool = { target: "w", min: 2, max: 8, warm: 3, gpusPerWorker: 2, idleSecondsToZero: 60 };
    const more = { startWithinSeconds: { interactive: 5 }, holdSeconds: 9, weight: 7 };
    const { file, problems } = parse({
      tickSeconds: 2,
      gpuBudget: 40,
      pools: { large: { ...pool, ...more } },
    });

    expect(problems).toEqual([]);
    expect(file).toMatchObject({ tickMs: 2_000, gpuBudget: 40 });
    const large = file.pools.get("large" as PoolId);
    expect(large).toMatchObject({ goals: { min: 2, max: 8, warm: 3, holdMs: 9_000, weight: 7 } });
    expect(large?.goals.startWithinMs).toMatchObject({ interactive: 5_000, batch: 900_000 });
  });

  test("says everything that is wrong at once, by field, value and bound", () => {
    const { problems } = parse({
      tickSeconds: 0,
      ticks: 1,
      pools: {
        default: { target: "Bad Name", min: 5, max: 3, gpu: 1 },
        UPPER: { target: "u" },
        other: { startWithinSeconds: { interactive: "30", urgent: 1 }, holdSeconds: -1 },
      },
    });

    expect(problems).toEqual([
      "tickSeconds must be a whole number 1 to 60, got 0",
      expect.stringMatching(/^pools\.default\.target must be 1 to 63 .* got "Bad Name"$/),
      "pools.default.max must be a whole number 5 to 10000, got 3",
      expect.stringMatching(/^pools\.default\.gpu is not known; known are target, min, max/),
      expect.stringMatching(/^pools: a pool's name must be 1 to 63 .* got "UPPER"/),
      "pools.other.target is not set",
      'pools.other.startWithinSeconds.interactive must be a whole number 1 to 86400, got "30"',
      expect.stringMatching(/^pools\.other\.startWithinSeconds\.urgent is not known/),
      "pools.other.holdSeconds must be a whole number 0 to 86400, got -1",
      "ticks is not known; known are tickSeconds, gpuBudget, pools",
    ]);
  });

  test("lets no two pools scale the same workers", () => {
    const { problems } = parse({ pools: { a: { target: "same" }, b: { target: "same" } } });

    expect(problems).toEqual(['pools: two of them have the target "same"']);
  });

  test.each(["", "{", "[]", "3"])("is refused with a reason when it is %j", (text) => {
    expect(parse(text).problems).toHaveLength(1);
  });
});
