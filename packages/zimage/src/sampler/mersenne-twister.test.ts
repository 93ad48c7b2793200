import { describe, expect, it } from "vitest";
import { MersenneTwister } from "./mersenne-twister.ts";

describe("MersenneTwister", () => {
  it("gives the published numbers of the default seed", () => {
    const twister = new MersenneTwister(5489);

    expect([twister.next(), twister.next(), twister.next()]).toEqual([
      3_499_211_612, 581_869_302, 3_890_346_734,
    ]);
  });

  it("gives the number that the C++ standard demands as the ten-thousandth", () => {
    const twister = new MersenneTwister(5489);

    for (let skipped = 0; skipped < 9_999; skipped += 1) twister.next();

    expect(twister.next()).toBe(4_123_659_995);
  });
});
