import { PassThrough } from "node:stream";
import type { ServerReadableStream } from "@grpc/grpc-js";
import { FarmError, limits } from "@zfarm/contract";
import { createManualClock } from "@zfarm/testing";
import { describe, expect, test } from "vitest";
import { readMessages } from "./read-messages.ts";

/** As much of a call as reading one needs. */
function openCall() {
  const stream = Object.assign(new PassThrough({ objectMode: true }), { cancelled: false });
  const clock = createManualClock();
  const caller = new AbortController();
  const call = stream as unknown as ServerReadableStream<Buffer, unknown>;
  const needs = { signal: caller.signal, clock };
  const messages = readMessages(call, (bytes) => bytes.toString(), needs);
  return { stream, clock, caller, messages };
}

describe("the messages of a client stream", () => {
  test("come one by one, until the client has sent its last", async () => {
    const { stream, messages } = openCall();
    stream.write(Buffer.from("one"));
    stream.end(Buffer.from("two"));

    expect(await Array.fromAsync(messages)).toEqual(["one", "two"]);
    expect(stream.destroyed).toBe(true);
  });

  test("end where the client falls silent, and not where it is slow", async () => {
    const { stream, clock, messages } = openCall();
    for (const text of ["one", "two"]) {
      const next = messages.next();
      await clock.advance(limits.loraUploadIdleMs - 1);
      stream.write(Buffer.from(text));
      expect(await next).toMatchObject({ value: text });
    }

    const silent = messages.next();
    const ended = expect(silent).rejects.toMatchObject({ code: "DEADLINE_EXCEEDED" });
    await clock.advance(limits.loraUploadIdleMs);

    await ended;
    expect(stream.destroyed).toBe(true);
  });

  test("end with the reason for which the call ends, also between two of them", async () => {
    const { stream, caller, messages } = openCall();
    stream.write(Buffer.from("one"));
    await messages.next();
    const waiting = expect(messages.next()).rejects.toMatchObject({ code: "DRAINING" });

    caller.abort(new FarmError("DRAINING", "stopping"));

    await waiting;
    expect(stream.destroyed).toBe(true);
  });

  test("are read no further once whoever reads them fails", async () => {
    const { stream, messages } = openCall();
    const failing = (async () => {
      for await (const text of messages) if (text === "bad") throw new RangeError("bad");
    })();
    stream.write(Buffer.from("bad"));

    await expect(failing).rejects.toThrow("bad");
    expect(stream.destroyed).toBe(true);
  });
});
