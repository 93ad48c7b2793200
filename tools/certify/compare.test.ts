import { describe, expect, test } from "vitest";
import { formatCertificate, holds, judge, parseCertificate } from "./certificate.ts";
import { compareBits, comparePictures, compareTensors } from "./compare.ts";

describe("what is measured", () => {
  test("tensors differ by their worst element and by their norms", () => {
    const found = compareTensors(Float32Array.of(3, 4.5), Float32Array.of(3, 4));

    expect(found).toEqual({ kind: "tensor", maxAbs: 0.5, relL2: 0.1, largest: 4 });
  });

  test("a picture differs by its pixels, not by its bytes", () => {
    const found = comparePictures([9, 0, 0, 5, 5, 5], [8, 2, 0, 5, 5, 5]);

    expect(found).toMatchObject({ unequalPixels: 1, pixels: 2, levelsMax: 2 });
    expect(found.psnrDb).toBeCloseTo(10 * Math.log10(255 ** 2 / (5 / 6)));
  });

  test("equal pictures have no ratio of signal to noise", () => {
    expect(comparePictures([1, 2, 3], [1, 2, 3])).toMatchObject({ psnrDb: null, unequalPixels: 0 });
  });

  test("zeros of different signs are unequal bits", () => {
    expect(compareBits(Float32Array.of(0, 1), Float32Array.of(-0, 1))).toMatchObject({
      unequal: 1,
    });
  });

  test("results of different sizes are not compared", () => {
    expect(() => compareTensors(new Float32Array(2), new Float32Array(3))).toThrow("2 and 3");
  });
});

describe("a verdict", () => {
  const about = { mode: "fp32", part: "text", subject: "short" };
  const bound = { relL2Max: 0.1, maxAbsShareMax: 0.2 };

  test("holds at the bound and not beyond it", () => {
    const measured = { kind: "tensor", maxAbs: 0.4, relL2: 0.1, largest: 2 } as const;

    expect(holds(measured, bound)).toBe(true);
    expect(holds({ ...measured, relL2: 0.1001 }, bound)).toBe(false);
    expect(holds({ ...measured, maxAbs: 0.4001 }, bound)).toBe(false);
  });

  test("fails where something is not a number", () => {
    const measured = compareTensors(Float32Array.of(Number.NaN, 1), Float32Array.of(1, 1));

    const line = judge({ ...about, measured, bound });

    expect(line.pass).toBe(false);
    expect(JSON.parse(JSON.stringify(line))).toEqual(line);
  });

  test("fails for a picture with too many unequal pixels or too much noise", () => {
    const measured = comparePictures([9, 0, 0, 5, 5, 5], [8, 2, 0, 5, 5, 5]);

    expect(holds(measured, { psnrDbMin: 40, unequalShareMax: 0.5 })).toBe(true);
    expect(holds(measured, { psnrDbMin: 60 })).toBe(false);
    expect(holds(measured, { unequalShareMax: 0.4 })).toBe(false);
  });

  test("fails for a single unequal bit", () => {
    expect(holds({ kind: "equal", unequal: 1, count: 9 }, {})).toBe(false);
  });
});

test("a certificate is read back as it was written", () => {
  const measured = { kind: "equal", unequal: 0, count: 9 } as const;
  const line = judge({ mode: "fp32", part: "tokens", subject: "short", measured, bound: {} });
  const written = {
    format: 1 as const,
    model: { name: "tiny", digest: "00", loras: [] },
    ours: { zfarm: "1.0.0" },
    reference: { torch: "2.0.0" },
    conditions: { platform: "linux-x64" },
    cases: [],
    skipped: [],
    pass: true,
    lines: [line, line],
  };

  expect(parseCertificate(JSON.parse(formatCertificate(written)))).toEqual(written);
});
