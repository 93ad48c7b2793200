import fc from "fast-check";
import { expect, test } from "vitest";
import { EpochGuard } from "./epoch-guard.ts";

test("obeys an epoch exactly when none newer was heard", () => {
  fc.assert(
    fc.property(fc.array(fc.bigInt({ min: 0n, max: 20n })), (epochs) => {
      const guard = new EpochGuard();

      for (const [at, epoch] of epochs.entries()) {
        const isNewest = epochs.slice(0, at).every((older) => older <= epoch);
        expect(guard.obeys(epoch)).toBe(isNewest);
      }
    }),
  );
});

test("names the newest epoch it heard", () => {
  const guard = new EpochGuard();

  guard.obeys(7n);
  guard.obeys(3n);

  expect(guard.seen).toBe(7n);
});
