import { afterAll, beforeAll, expect, test } from "vitest";
import { expectRecorded, expectSameBits } from "../../test/expect-tensor.ts";
import { type Checkpoint, writeTextEncoder } from "../../test/filled-checkpoint.ts";
import { tinyTextEncoder } from "../../test/tiny-networks.ts";
import { openTextEncoder, type TextEncoder } from "./text-encoder.ts";

let checkpoint: Checkpoint;
let encoder: TextEncoder;
const prompt = Int32Array.from([3, 17, 255, 1, 511, 42, 7, 7, 100, 300, 9]);

beforeAll(async () => {
  checkpoint = await writeTextEncoder(tinyTextEncoder);
  encoder = await openTextEncoder(tinyTextEncoder, checkpoint.index, { threads: 2 });
});

afterAll(async () => {
  await encoder.close();
  await checkpoint[Symbol.asyncDispose]();
});

test("trap 11: gives the state before the last layer, without the final norm", async () => {
  const [hidden] = await encoder.encode([prompt]);

  expect([...checkpoint.index.tensors.keys()]).not.toContain("norm.weight");
  expectRecorded(hidden, {
    first: [-1.260655, 0.019232, -1.975186, 0.780194],
    last: [-1.02854, 1.187321, -1.280603, -0.236186],
    sum: -70.677619,
    l2: 25.805102,
  });
});

test("a prompt's bits do not depend on the others", async () => {
  const others = [prompt, prompt.slice(0, 1), prompt.slice(2, 7)];
  const together = await encoder.encode(others);

  for (const [index, ids] of others.entries()) {
    const [alone] = await encoder.encode([ids]);
    expectSameBits(together[index], alone);
  }
});

test("is causal: later tokens leave earlier rows as they are", async () => {
  const changed = prompt.with(8, 5);
  const [hidden, other] = await encoder.encode([prompt, changed]);
  const before = 8 * tinyTextEncoder.hidden;

  expectSameBits(other?.slice(0, before), hidden?.slice(0, before));
  expect(other?.slice(before)).not.toEqual(hidden?.slice(before));
});

test("keeps a bfloat16 table and widens the rows it looks up", async () => {
  await using short = await writeTextEncoder(tinyTextEncoder, { dtype: "BF16" });
  const stored = await openTextEncoder(tinyTextEncoder, short.index);
  const [hidden] = await stored.encode([prompt]);
  await stored.close();

  // Sixteen bits leave a relative error of about one percent over the layers.
  expect(Math.hypot(...(hidden ?? []))).toBeCloseTo(25.8, 0);
});

test.each([
  ["ids[0].length", []],
  ["ids[0]", [512]],
  ["ids[0]", [-1]],
])("refuses %s = %j", async (field, ids) => {
  await expect(encoder.encode([Int32Array.from(ids)])).rejects.toMatchObject({
    code: "INPUT_INVALID",
    field,
  });
});
