import { expect, test } from "vitest";
import { InvariantError, invariant } from "./invariant.ts";

test("what holds passes, what does not throws and says why", () => {
  invariant(true, "never shown");

  expect(() => invariant(undefined, "one is more than two")).toThrow(
    new InvariantError("invariant broken: one is more than two"),
  );
});
