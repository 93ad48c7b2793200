import { ModelError } from "@zfarm/zimage";
import { expect, test } from "vitest";
import { failureOf } from "./failure.ts";

test.each([
  [new ModelError("MEMORY_EXCEEDED", "needs 9.1 GB, 7.0 GB are there"), "OUT_OF_MEMORY"],
  [new ModelError("OUTPUT_INVALID", "not finite in step 3"), "NAN_OUTPUT"],
  [new ModelError("INPUT_INVALID", "too wide", { field: "width" }), "INVALID_REQUEST"],
  [new ModelError("INPUT_INVALID", "too long", { field: "prompt" }), "PROMPT_TOO_LONG"],
  [new ModelError("ENGINE_FAILED", "refused"), "ENGINE_FAILED"],
  [new RangeError("odd"), "ENGINE_FAILED"],
])("%s ends a task as %s, with its words", (thrown, reason) => {
  expect(failureOf(thrown)).toMatchObject({ reason, message: thrown.message });
});
