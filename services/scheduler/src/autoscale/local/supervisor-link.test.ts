import { EventEmitter } from "node:events";
import { type HandsRequest, limits, parseHandsRequest } from "@zfarm/contract";
import { ConfigError, systemClock } from "@zfarm/runtime";
import { createManualClock } from "@zfarm/testing";
import { describe, expect, test } from "vitest";
import { LocalActuator } from "./local-actuator.ts";
import { SupervisorLink } from "./supervisor-link.ts";

const never = new AbortController().signal;

/** A channel whose other end is the test. */
class PlayedChannel extends EventEmitter {
  connected = true;
  readonly asked: { readonly id: number; readonly content: HandsRequest }[] = [];

  send(message: object, done: (error: Error | null) => void): void {
    const request = parseHandsRequest(message);
    if (request !== undefined) this.asked.push(request);
    done(this.connected ? null : new Error("channel closed"));
  }

  answer(id: number, content: object): void {
    this.emit("message", { hands: "reply", id, content });
  }
}

function openLink(clock = systemClock) {
  const channel = new PlayedChannel();
  return { channel, link: new SupervisorLink({ channel, clock }) };
}

describe("a scheduler that asks its supervisor", () => {
  test("brings each answer to its question, and lets pass what is none", async () => {
    const { channel, link } = openLink();
    const first = link.ask({ kind: "observe" }, never);
    const second = link.ask({ kind: "observe" }, never);

    channel.emit("message", "hello");
    channel.answer(99, { kind: "scaled", result: "applied" });
    channel.answer(2, { kind: "scaled", result: "conflict" });
    channel.answer(1, { kind: "observed", fleets: [] });

    expect(await first).toEqual({ kind: "observed", fleets: [] });
    expect(await second).toEqual({ kind: "scaled", result: "conflict" });
  });

  test("is told when nobody answers in time", async () => {
    const clock = createManualClock();
    const { link } = openLink(clock);
    const asking = link.ask({ kind: "observe" }, never);
    const refused = expect(asking).rejects.toMatchObject({ code: "CLUSTER_UNAVAILABLE" });

    await clock.advance(limits.localHandsMs);

    await refused;
  });

  test("is told why the supervisor refuses, and when it is gone", async () => {
    const { channel, link } = openLink();
    const asking = link.ask({ kind: "observe" }, never);
    channel.answer(1, { kind: "refused", reason: "the farm is stopping" });
    await expect(asking).rejects.toThrow("refuses: the farm is stopping");

    channel.connected = false;

    await expect(link.ask({ kind: "observe" }, never)).rejects.toThrow("cannot be asked");
    expect(new LocalActuator(link).problem()).toBe("the process that minds the workers is gone");
  });

  test("is not one without a supervisor", () => {
    const alone = Object.assign(new EventEmitter(), { connected: false });

    expect(() => new SupervisorLink({ channel: alone, clock: systemClock })).toThrow(ConfigError);
    expect(() => new SupervisorLink({ channel: alone, clock: systemClock })).toThrow(
      /AUTOSCALER=local: this process has no supervisor/,
    );
  });

  test("leaves the channel alone once it is closed", async () => {
    const { channel, link } = openLink();

    await new LocalActuator(link).close();

    expect(channel.listenerCount("message")).toBe(0);
  });
});
