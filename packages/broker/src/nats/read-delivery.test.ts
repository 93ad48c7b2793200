import { expect, test } from "vitest";
import { readDelivery } from "./read-delivery.ts";

test.each([
  ["of before 2.10", "$JS.ACK.OUTCOMES.c1.1.4711.12.1764158222123456789.3"],
  ["of a stream and a consumer of digits", "$JS.ACK.99999999999.7.1.4711.12.1764158222123456789.3"],
  ["without a domain", "$JS.ACK._.h4sh.OUTCOMES.c1.1.4711.12.1764158222123456789.3"],
  ["with a token of chance", "$JS.ACK.hub.h4sh.OUTCOMES.c1.1.4711.12.1764158222123456789.3.rAnd0m"],
])("a delivery %s says where it stands", (_case, reply) => {
  expect(readDelivery(reply)).toEqual({ seq: 4_711, deliverySeq: 12, pending: 3 });
});

test("numbers as large as a stream can have are read exactly", () => {
  const largest = Number.MAX_SAFE_INTEGER;

  const { seq, pending } = readDelivery(`$JS.ACK.QUEUE.c1.1.${largest}.1.1764158222123456789.0`);

  expect([seq, pending]).toEqual([largest, 0]);
});

test("a message of no stream is refused", () => {
  expect(() => readDelivery("_INBOX.abc.1")).toThrow("says where it stands");
});
