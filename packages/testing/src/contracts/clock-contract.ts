/** What every Clock promises; the system's and the manual one both pass. */
import type { Clock } from "@zfarm/runtime";
import { describe, expect, test } from "vitest";

export interface ClockUnderTest {
  readonly clock: Clock;
  /** Lets at least this much time pass on the clock. */
  readonly pass: (ms: number) => Promise<void>;
}

export function defineClockContract(name: string, open: () => ClockUnderTest): void {
  const never = new AbortController().signal;

  describe(`clock contract: ${name}`, () => {
    test("both readings grow by what has passed", async () => {
      const { clock, pass } = open();
      const before = { now: clock.now(), monotonic: clock.monotonic() };

      await pass(30);

      // The system's timers may fire up to a millisecond early.
      expect(clock.now() - before.now).toBeGreaterThanOrEqual(28);
      expect(clock.monotonic() - before.monotonic).toBeGreaterThanOrEqual(28);
    });

    test("a sleeper wakes, and not before its time", async () => {
      const { clock, pass } = open();
      const before = clock.monotonic();
      const slept = clock.sleep(20, never).then(() => clock.monotonic());

      await pass(40);

      expect((await slept) - before).toBeGreaterThanOrEqual(18);
    });

    test("sleepers wake in the order they are due", async () => {
      const { clock, pass } = open();
      const woken: string[] = [];
      const late = clock.sleep(60, never).then(() => woken.push("late"));
      const early = clock.sleep(5, never).then(() => woken.push("early"));

      await pass(90);
      await Promise.all([late, early]);

      expect(woken).toEqual(["early", "late"]);
    });

    test("an abort wakes a sleeper at once and without an error", async () => {
      const { clock } = open();
      const stop = new AbortController();
      const slept = clock.sleep(3_600_000, stop.signal);

      stop.abort();

      await expect(slept).resolves.toBeUndefined();
    });

    test("nobody sleeps once the signal has aborted", async () => {
      const { clock } = open();

      await expect(clock.sleep(3_600_000, AbortSignal.abort())).resolves.toBeUndefined();
    });

    test.each([0, -5])("a sleep of %i ms ends", async (ms) => {
      const { clock, pass } = open();
      const slept = clock.sleep(ms, never);

      await pass(1);

      await expect(slept).resolves.toBeUndefined();
    });
  });
}
