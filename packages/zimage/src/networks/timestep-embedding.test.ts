import { expect, test } from "vitest";
import { embedTimestep } from "./timestep-embedding.ts";

test("pure noise is 128 ones, then 128 zeros", () => {
  const embedding = embedTimestep(0, 1000);

  expect(Array.from(embedding.slice(0, 128))).toEqual(Array.from({ length: 128 }, () => 1));
  expect(Array.from(embedding.slice(128))).toEqual(Array.from({ length: 128 }, () => 0));
});

test("the two frequencies that engines round otherwise are the reference's, to the bit", () => {
  const tiny = 2 ** -20;
  const sines = embedTimestep(tiny, 1).slice(128);
  // At such a time the sine is the angle, so dividing it out leaves the frequency.
  const bits = new Uint32Array(sines.map((sine) => sine / tiny).buffer);

  expect(bits[12]).toBe(0x3ed7e89b);
  expect(bits[106]).toBe(0x39ff4fad);
});
