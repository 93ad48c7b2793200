import { type Heartbeat, limits, WorkerState } from "@zfarm/contract";
import { silentLog } from "@zfarm/runtime";
import { createManualClock } from "@zfarm/testing";
import { beforeEach, expect, test } from "vitest";
import { BeatEars } from "./beat-ears.ts";

const clock = createManualClock();
let ears: BeatEars;
let say: (heartbeat: Heartbeat) => void;
const link = {
  connectedSince: Number.NEGATIVE_INFINITY,
  onBeat: (handle: (heartbeat: Heartbeat) => void) => {
    say = handle;
    return () => undefined;
  },
};

beforeEach(() => {
  link.connectedSince = Number.NEGATIVE_INFINITY;
  ears = new BeatEars({ link, clock, log: silentLog });
});

function beatOf(worker: string): Heartbeat {
  const info = { pool: "default", device: "cpu", model: "nano", modelDigest: "00" };
  const name = `workers/${worker}`;
  const state = WorkerState.READY;
  return { worker: { ...info, name, state, slots: 1, running: 0 }, running: [] };
}

const heardFrom = (from: number) => ears.heardFrom(from).map(({ beat }) => beat.worker);

test("the last heartbeat of each worker is kept, the oldest first", async () => {
  say(beatOf("one"));
  say(beatOf("two"));
  await clock.advance(limits.beatMs);
  const from = clock.monotonic();
  say(beatOf("one"));

  expect(heardFrom(Number.NEGATIVE_INFINITY)).toEqual(["two", "one"]);
  expect(heardFrom(from)).toEqual(["one"]);
});

test("a worker that was silent for as long as a lease lives is forgotten", async () => {
  say(beatOf("one"));
  await clock.advance(limits.leaseMs + 1);
  say(beatOf("two"));

  expect(heardFrom(Number.NEGATIVE_INFINITY)).toEqual(["two"]);
});

test("nothing is known of before the ears were opened or the connection stood", async () => {
  expect(ears.since).toBe(clock.monotonic());
  await clock.advance(100);
  link.connectedSince = clock.monotonic();

  expect(ears.since).toBe(clock.monotonic());
});

test("heartbeats go to whoever leads, and to nobody else", () => {
  const heard: string[] = [];
  const stop = ears.tell(({ worker }) => heard.push(worker));
  say(beatOf("one"));
  say({ worker: undefined, running: [] });
  stop();
  say(beatOf("two"));

  expect(heard).toEqual(["one"]);
});
