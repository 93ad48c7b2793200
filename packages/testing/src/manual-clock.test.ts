import { systemClock } from "@zfarm/runtime";
import { describe, expect, test } from "vitest";
import { defineClockContract } from "./contracts/clock-contract.ts";
import { createManualClock } from "./manual-clock.ts";

const never = new AbortController().signal;

defineClockContract("manual", () => {
  const clock = createManualClock();
  return { clock, pass: (ms) => clock.advance(ms) };
});

defineClockContract("system", () => ({
  clock: systemClock,
  pass: (ms) => systemClock.sleep(ms, never),
}));

describe("createManualClock", () => {
  test("a sleeper sees the moment it was due, not the end of the advance", async () => {
    const clock = createManualClock();
    const woken = clock.sleep(10, never).then(() => clock.monotonic());

    await clock.advance(1_000);

    expect(await woken).toBe(10);
  });

  test("a loop that sleeps again and again runs once per period", async () => {
    const clock = createManualClock();
    const stop = new AbortController();
    let rounds = 0;
    const loop = (async () => {
      for (; !stop.signal.aborted; rounds += 1) await clock.sleep(100, stop.signal);
    })();

    await clock.advance(1_050);

    expect(rounds).toBe(10);
    stop.abort();
    await loop;
  });

  test("says when enough sleepers wait", async () => {
    const clock = createManualClock();
    const both = clock.sleeping(2).then(() => "both");
    void clock.sleep(1, never);
    const first = await Promise.race([both, Promise.resolve("one is not enough")]);
    void clock.sleep(1, never);

    expect([first, await both]).toEqual(["one is not enough", "both"]);
  });
});
