import { describe, expect, test } from "vitest";
import { defaultPool, type WorkerId } from "./ids.ts";
import {
  type HandsReply,
  type HandsRequest,
  parseHandsReply,
  parseHandsRequest,
  writeHandsMessage,
} from "./local-hands.ts";

const worker = "worker-1" as WorkerId;
const scale = { kind: "scale", pool: defaultPool, desired: 1, target: 2, victims: [worker] };
const member = { worker, phase: "ready", createdAt: 1_700_000_000_000, readyAt: 1_700_000_001_000 };
const observed = { kind: "observed", fleets: [{ pool: "default", target: 1, members: [member] }] };

/** As the channel carries it. */
function carry(message: object): unknown {
  return JSON.parse(JSON.stringify(message));
}

describe("messages between a scheduler and its supervisor", () => {
  test.each([{ kind: "observe" }, scale])("a request arrives as it was sent: %j", (request) => {
    const content = request as HandsRequest;

    const message = carry(writeHandsMessage("request", { id: 7, content }));

    expect(parseHandsRequest(message)).toEqual({ id: 7, content });
    expect(parseHandsReply(message)).toBeUndefined();
  });

  test.each([
    observed,
    { kind: "observed", fleets: [] },
    { kind: "scaled", result: "conflict" },
    { kind: "refused", reason: "the farm stops" },
  ])("a reply arrives as it was sent: %j", (reply) => {
    const content = reply as HandsReply;

    const message = carry(writeHandsMessage("reply", { id: 7, content }));

    expect(parseHandsReply(message)).toEqual({ id: 7, content });
    expect(parseHandsRequest(message)).toBeUndefined();
  });

  test.each([
    undefined,
    "observe",
    { hands: "request", content: { kind: "observe" } },
    { hands: "request", id: -1, content: { kind: "observe" } },
    { hands: "request", id: 1, content: [] },
    { hands: "request", id: 1, content: { kind: "kill" } },
    { hands: "request", id: 1, content: { ...scale, pool: "UPPER" } },
    { hands: "request", id: 1, content: { ...scale, desired: 0.5 } },
    { hands: "request", id: 1, content: { ...scale, target: "2" } },
    { hands: "request", id: 1, content: { ...scale, victims: ["../etc"] } },
    { hands: "request", id: 1, content: { ...scale, victims: Array(65).fill(worker) } },
  ])("what is no request is none: %j", (message) => {
    expect(parseHandsRequest(message)).toBeUndefined();
  });

  test.each([
    { kind: "observed" },
    { kind: "observed", fleets: [{ pool: "default", target: 1 }] },
    { kind: "observed", fleets: [{ pool: "default", target: -1, members: [] }] },
    { kind: "scaled", result: "maybe" },
    { kind: "refused" },
    ...[{ phase: "happy" }, { createdAt: null }, { readyAt: "now" }, { worker: 1 }].map(
      (wrong) => ({
        kind: "observed",
        fleets: [{ pool: "default", target: 1, members: [{ ...member, ...wrong }] }],
      }),
    ),
  ])("what is no reply is none: %j", (content) => {
    expect(parseHandsReply({ hands: "reply", id: 1, content })).toBeUndefined();
  });
});
