import fc from "fast-check";
import { expect, test } from "vitest";
import { EpochGuard } from "./epoch-guard.ts";

test("obeys an epoch exactly when none newer was heard", () => {
  fc.assert(
    fc.property(fc.array(fc.bigInt({ min: 0n, max: 20n })), (epochs) => {
      const guard = new EpochGuard();

      for (const [at, epoch] of epochs.entries()) {
        const isNewest = epochs.slice(0, at).every((older) => older <= epoch);
        expect(guard.obeys(epoch, 0)).toBe(isNewest);
      }
    }),
  );
});

test("names the newest epoch it heard", () => {
  const guard = new EpochGuard();

  guard.obeys(7n, 0);
  guard.obeys(3n, 0);

  expect(guard.seen(0)).toBe(7n);
});

test("compares no epochs of different shards", () => {
  const guard = new EpochGuard();
  guard.obeys(7n, 0);

  expect([guard.seen(1), guard.obeys(3n, 1), guard.obeys(5n, 0)]).toEqual([0n, true, false]);
});
