import { expect, test } from "vitest";
import { expectClose } from "../../test/expect-tensor.ts";
import {
  captionPositions,
  imagePositions,
  padRows,
  rotatePositions,
  rotateSequence,
} from "./rope.ts";

const released = { axesDims: [32, 48, 48], ropeTheta: 256 } as const;

test.each([
  [1, 32],
  [32, 32],
  [33, 64],
  [3600, 3616],
])("%i rows are padded to %i", (rows, padded) => {
  expect(padRows(rows)).toBe(padded);
});

test("caption rows count from 1 on the first axis, pads included", () => {
  expect(captionPositions(32).slice(0, 2)).toEqual([
    [1, 0, 0],
    [2, 0, 0],
  ]);
});

test("image tokens go row by row, and their pads go to the origin", () => {
  const positions = imagePositions({ rows: 3, columns: 5, captionRows: 64 });

  expect(positions).toHaveLength(32);
  expect(positions.slice(4, 6)).toEqual([
    [65, 0, 4],
    [65, 1, 0],
  ]);
  expect(positions.slice(14, 16)).toEqual([
    [65, 2, 4],
    [0, 0, 0],
  ]);
});

test("each axis turns its own share of the pairs at the reference's angles", () => {
  const { cos, sin } = rotatePositions([[1, 0, 2]], released);

  expectClose(cos.slice(0, 3), [0.5403, 0.7602, 0.8776], 1e-4);
  expectClose(sin.slice(0, 3), [0.8415, 0.6496, 0.4794], 1e-4);
  expect(Array.from(cos.slice(16, 40))).toEqual(Array.from({ length: 24 }, () => 1));
  expectClose(sin.slice(40, 41), [Math.sin(2)], 1e-7);
});

test("a sequence turns slower pair by pair, row by row from 0", () => {
  const { rows, cos, sin } = rotateSequence(3, { headDim: 4, ropeTheta: 100 });

  expect(rows).toBe(3);
  expectClose(cos, [1, 1, Math.cos(1), Math.cos(0.1), Math.cos(2), Math.cos(0.2)], 1e-7);
  expectClose(sin, [0, 0, Math.sin(1), Math.sin(0.1), Math.sin(2), Math.sin(0.2)], 1e-7);
});
