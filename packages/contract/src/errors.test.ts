import { status } from "@grpc/grpc-js";
import { describe, expect, test } from "vitest";
import { errorTable, FarmError } from "./errors.ts";

describe("FarmError", () => {
  test("what is thrown by mistake becomes INTERNAL and keeps its cause for the log", () => {
    const thrown = new RangeError("boom");

    const error = FarmError.from(thrown);

    expect(error.code).toBe("INTERNAL");
    expect(error.cause).toBe(thrown);
    expect(FarmError.from(error)).toBe(error);
  });

  test("only what a client may blindly repeat is UNAVAILABLE", () => {
    const unavailable = Object.entries(errorTable).filter(
      ([, row]) => row.grpc === status.UNAVAILABLE,
    );
    const hopeless = unavailable.filter(([, row]) => !row.retry).map(([code]) => code);

    expect(unavailable.length).toBeGreaterThan(1);
    // A client may repeat it, in vain until an operator has restored the farm.
    expect(hopeless).toEqual(["STATE_LOST"]);
  });
});
