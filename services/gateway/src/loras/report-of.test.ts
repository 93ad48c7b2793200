import { limits } from "@zfarm/contract";
import { expect, test } from "vitest";
import { reportOf } from "./report-of.ts";

const found = {
  digest: "0a".repeat(32),
  dialect: "kohya",
  modulesMatched: 1,
  modulesPresent: 3,
  modulesOfModel: 2,
  ranks: { min: 4, max: 8 },
  ranksTaken: 16,
  products: 5,
  alpha: { min: 1, max: 2, from: "tensors" },
  fileBytes: 1_000,
  deviceBytes: 2_000,
} as const;

test("a report travels with its numbers, and no more text than a record has room for", () => {
  const texts = Array.from({ length: 100 }, (_, at) => `${at}`.padEnd(1_000, "x"));

  const { triggerWords, warnings, ...rest } = reportOf({
    ...found,
    triggerWords: texts,
    warnings: texts,
  });

  expect(rest).toEqual({
    dialect: "kohya",
    modulesMatched: 1,
    modulesPresent: 3,
    modulesOfModel: 2,
    rankMin: 4,
    rankMax: 8,
    ranksTaken: 16,
    products: 5,
    alphaMin: 1,
    alphaMax: 2,
    alphaFrom: "tensors",
    fileBytes: 1_000n,
    deviceBytes: 2_000n,
  });
  expect(triggerWords).toHaveLength(limits.triggerWordsMax);
  expect(warnings).toHaveLength(limits.loraWarningsMax);
  for (const text of [...triggerWords, ...warnings]) {
    expect(text).toHaveLength(limits.loraReportCharsMax);
  }
});
