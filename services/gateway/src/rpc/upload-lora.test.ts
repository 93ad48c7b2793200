import { limits } from "@zfarm/contract";
import { expect, test } from "vitest";
import { checkLora } from "./check-lora.ts";
import { uploadLora } from "./upload-lora.ts";

test.each([uploadLora, checkLora])(
  "$name without a deadline has time for the largest file at 5 Mbit/s, and an end",
  ({ deadlineMs }) => {
    const largestMs = (limits.loraBytesMax * 8 * 1_000) / 5e6;

    expect(deadlineMs).toBeGreaterThan(largestMs);
    expect(deadlineMs).toBeLessThan(limits.callMsMax);
  },
);
