import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, test } from "vitest";
import { fillInput } from "../../test/hash-filler.ts";
import {
  AttributeProto_AttributeType as AttributeType,
  TensorProto_DataLocation as DataLocation,
  TensorProto_DataType as DataType,
  GraphProto,
  ModelProto,
  NodeProto,
  TensorProto,
  ValueInfoProto,
} from "../gen/onnx.ts";
import { openSession } from "../networks/session.ts";
import { type BlockLayout, blockLayout } from "./prepared-format.ts";
import {
  dequantizeRows,
  findNotFinite,
  narrowToBf16,
  quantizeRows,
  widenElements,
} from "./quantize.ts";

/** Root of the mean squared error over that of the values. */
function relativeError(values: Float32Array, other: Float32Array): number {
  const square = (sum: number, value: number) => sum + value * value;
  const error = values.map((value, at) => value - (other[at] ?? 0)).reduce(square, 0);
  return Math.sqrt(error / values.reduce(square, 0));
}

describe("quantizeRows", () => {
  it.each([
    [4, 0.1],
    [8, 0.006],
  ] as const)("keeps %i bits within a relative error of %f", (bits, bound) => {
    const layout = blockLayout([16, 384], bits);
    const values = fillInput("weights", 16 * 384);

    const read = dequantizeRows(quantizeRows(values, layout), layout);

    expect(relativeError(values, read)).toBeLessThan(bound);
  });

  it("gives back values that are levels of their block's scale", () => {
    const layout = blockLayout([1, 128], 4);
    const values = Float32Array.from({ length: 128 }, (_, at) => 0.25 * ((at % 16) - 8));

    const rows = quantizeRows(values, layout);

    expect(dequantizeRows(rows, layout)).toEqual(values);
    expect(rows.scales).toEqual(Float32Array.of(0.25));
  });

  it("puts the earlier of two values of 4 bits into the lower half of a byte", () => {
    const values = Float32Array.from({ length: 128 }, (_, at) =>
      at === 0 ? -8 : at === 1 ? 3 : 0,
    );

    const { levels } = quantizeRows(values, blockLayout([1, 128], 4));

    expect([...levels.subarray(0, 2)]).toEqual([0xb0, 0x88]);
  });

  it("fills the last block of a row up with zeros, so that rows do not mix", () => {
    const layout = blockLayout([2, 130], 8);
    const values = fillInput("ragged", 260);

    const rows = quantizeRows(values, layout);

    expect(rows.levels.length).toBe(2 * 2 * 128);
    expect(new Set(rows.levels.subarray(130, 256))).toEqual(new Set([128]));
    expect(relativeError(values, dequantizeRows(rows, layout))).toBeLessThan(0.006);
  });

  it("keeps a block of zeros at zero", () => {
    const layout = blockLayout([1, 128], 4);

    const rows = quantizeRows(new Float32Array(128), layout);

    expect(dequantizeRows(rows, layout)).toEqual(new Float32Array(128));
    expect(rows.notFiniteAt).toBe(-1);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY])("says which block holds %f", (bad) => {
    const values = fillInput("bad", 512);
    values[300] = bad;

    expect(quantizeRows(values, blockLayout([2, 256], 4)).notFiniteAt).toBe(2);
  });

  it("gives the same bytes row by row as all at once", () => {
    const layout = blockLayout([4, 256], 4);
    const values = fillInput("pieces", 4 * 256);

    const whole = quantizeRows(values, layout);
    const pieces = [0, 1, 2, 3].map((row) =>
      quantizeRows(values.subarray(row * 256, (row + 1) * 256), layout),
    );

    expect(Buffer.concat(pieces.map(({ levels }) => levels))).toEqual(Buffer.from(whole.levels));
  });
});

describe("the runtime's product over blocks", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "quantized-"));
  });
  afterAll(async () => {
    await rm(folder, { recursive: true });
  });

  it.each([4, 8] as const)("reads %i bits as they are packed here", async (bits) => {
    const layout = blockLayout([6, 256], bits);
    const rows = quantizeRows(fillInput("product", 6 * 256), layout);
    const weights = dequantizeRows(rows, layout);
    const input = fillInput("input", 256);
    await writeFile(join(folder, "levels"), rows.levels);
    await writeFile(join(folder, "scales"), new Uint8Array(rows.scales.buffer));

    const session = await openSession(productModel(layout), folder);
    const output = await session.run({ x: { data: input, dims: [1, 256] } });
    await session.close();

    const expected = Float32Array.from({ length: 6 }, (_, row) =>
      input.reduce((sum, value, at) => sum + value * (weights[row * 256 + at] ?? 0), 0),
    );
    expect(relativeError(expected, output)).toBeLessThan(1e-5);
  });

  function productModel(layout: BlockLayout): Uint8Array {
    const { rows, columns, blocks, blockBytes, bits, blockSize } = layout;
    const external = (name: string, dataType: DataType, dims: number[]) =>
      TensorProto.fromPartial({
        name,
        dataType,
        dims,
        dataLocation: DataLocation.EXTERNAL,
        externalData: [{ key: "location", value: name }],
      });
    const int = (name: string, i: number) => ({ name, i, type: AttributeType.INT });
    const value = (name: string, sizes: number[]) => {
      const dim = sizes.map((size) => ({ value: { $case: "dimValue" as const, value: size } }));
      const tensor = { elemType: DataType.FLOAT, shape: { dim } };
      return ValueInfoProto.fromPartial({
        name,
        type: { value: { $case: "tensorType", value: tensor } },
      });
    };
    const node = NodeProto.fromPartial({
      opType: "MatMulNBits",
      domain: "com.microsoft",
      input: ["x", "levels", "scales"],
      output: ["y"],
      attribute: [
        int("K", columns),
        int("N", rows),
        int("bits", bits),
        int("block_size", blockSize),
      ],
    });
    const graph = GraphProto.fromPartial({
      name: "product",
      node: [node],
      initializer: [
        external("levels", DataType.UINT8, [rows, blocks, blockBytes]),
        external("scales", DataType.FLOAT, [rows, blocks]),
      ],
      input: [value("x", [1, columns])],
      output: [value("y", [1, rows])],
    });
    const opsetImport = [
      { domain: "", version: 23 },
      { domain: "com.microsoft", version: 1 },
    ];
    return ModelProto.encode(
      ModelProto.fromPartial({ irVersion: 10, opsetImport, graph }),
    ).finish();
  }
});

describe("bfloat16", () => {
  test("rounds to nearest, ties to even, as torch does", () => {
    const words = Uint32Array.of(0x3f80_8000, 0x3f81_8000, 0x3f80_8001, 0x3f80_7fff, 0xff80_0000);

    const halves = narrowToBf16(new Float32Array(words.buffer));

    expect([...halves]).toEqual([0x3f80, 0x3f82, 0x3f81, 0x3f80, 0xff80]);
  });

  test("stays what it is when widened and narrowed again", () => {
    const halves = Uint16Array.of(0x0001, 0x3f80, 0xbf81, 0x7f7f, 0x8000);

    const values = widenElements(new Uint8Array(halves.buffer), "BF16");

    expect(narrowToBf16(values)).toEqual(halves);
  });

  test("does not turn what is not a number into a number", () => {
    expect([...narrowToBf16(new Float32Array(Uint32Array.of(0x7f80_0001).buffer))]).toEqual([
      0x7fc0,
    ]);
  });
});

describe("widenElements", () => {
  it("reads float16, its smallest values included", () => {
    const halves = Uint16Array.of(0x3c00, 0xc000, 0x0001, 0x7bff, 0x7c00, 0x8000);

    const values = widenElements(new Uint8Array(halves.buffer), "F16");

    expect([...values]).toEqual([1, -2, 2 ** -24, 65_504, Number.POSITIVE_INFINITY, -0]);
  });

  it("reads bytes that lie at an odd place", () => {
    const bytes = new Uint8Array(9);
    bytes.set(new Uint8Array(Float32Array.of(1.5, -2).buffer), 1);

    expect(widenElements(bytes.subarray(1), "F32")).toEqual(Float32Array.of(1.5, -2));
  });
});

test("findNotFinite gives the first value that is none or has no bound", () => {
  expect(findNotFinite(Float32Array.of(1, 2, Number.NaN, Number.NEGATIVE_INFINITY))).toBe(2);
  expect(findNotFinite(Float32Array.of(1, 3e38))).toBe(-1);
});
