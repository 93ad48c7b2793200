import { AttemptReportReply, Control, TaskBundle } from "@zfarm/contract";
import { expect, test } from "vitest";
import { encode } from "./codec.ts";

const control = (epoch: bigint): Control => ({ epoch, command: { $case: "drain", value: {} } });

test("bytes of a message stay what they are while others are written", () => {
  const one = encode(Control, control(7n));
  const other = encode(Control, control(8n));

  expect(Control.decode(one)).toEqual(control(7n));
  expect(Control.decode(other)).toEqual(control(8n));
  expect(encode(AttemptReportReply, {})).toHaveLength(0);
});

test("a message that cannot be written leaves nothing in the next one", () => {
  const unwritable = { ...control(7n), epoch: 2n ** 64n };
  const tooLarge = { tasks: Array.from({ length: 200_000 }, (_, index) => ({ index })) };
  expect(() => encode(Control, unwritable)).toThrow(/too large/);
  expect(() => encode(TaskBundle, tooLarge)).toThrow(/at most \d+ fit/);

  expect(Control.decode(encode(Control, control(8n)))).toEqual(control(8n));
});
