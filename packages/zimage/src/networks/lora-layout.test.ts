import { expect, test } from "vitest";
import { layOutFactors } from "./lora-layout.ts";

// More rows than are moved together, and a last group that is not full.
const [rank, width, out] = [18, 70, 131];

test("A has its ranks in groups of 16 and B its ranks outermost, zeros behind the last", () => {
  const down = Float32Array.from({ length: rank * width }, (_, at) => at + 1);
  const up = Float32Array.from({ length: out * rank }, (_, at) => -at - 1);

  const laidOut = layOutFactors({ rank, scale: 0.5, down, up });

  const expectedDown = Array.from({ length: 2 * width * 16 }, (_, at) => {
    const [group, from, within] = [
      Math.floor(at / 16 / width),
      Math.floor(at / 16) % width,
      at % 16,
    ];
    const row = 16 * group + within;
    return row < rank ? down[row * width + from] : 0;
  });
  const expectedUp = Array.from({ length: 32 * out }, (_, at) => {
    const [row, to] = [Math.floor(at / out), at % out];
    return row < rank ? up[to * rank + row] : 0;
  });
  expect([...laidOut.down]).toEqual(expectedDown);
  expect([...laidOut.up]).toEqual(expectedUp);
  expect(laidOut).toMatchObject({ rank, scale: 0.5, layout: "run" });
});
