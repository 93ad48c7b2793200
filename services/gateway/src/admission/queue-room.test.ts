import { FarmError, limits } from "@zfarm/contract";
import { createManualClock } from "@zfarm/testing";
import { describe, expect, test } from "vitest";
import { QueueRoom } from "./queue-room.ts";

describe("room in the queue", () => {
  const create = () => {
    const clock = createManualClock();
    const leader = { live: 0, asked: 0, isAway: false };
    const ask = async () => {
      leader.asked += 1;
      if (leader.isAway) throw new FarmError("NO_LEADER", "away");
      const pool = { ...emptyPool, waiting: leader.live - 1, running: 1 };
      const reply = { $case: "queueStats" as const, value: { pools: [pool] } };
      return { epoch: 1n, reply };
    };
    return { clock, leader, room: new QueueRoom({ ask }, clock) };
  };
  const max = limits.queueTasksMax;

  test("is what the live tasks leave of the bound", async () => {
    const { leader, room } = create();
    leader.live = max - 100;

    expect(await room.take(101)).toBe(false);
    expect(await room.take(100)).toBe(true);
    expect(await room.take(2)).toBe(false);
  });

  test("shrinks by what is admitted since an answer, and what that may have missed", async () => {
    const { clock, leader, room } = create();
    leader.live = max - 1_000;
    expect(await room.take(600)).toBe(true);
    expect(await room.take(600)).toBe(false);

    await clock.advance(limits.queueRoomEveryMs);
    expect(await room.take(600)).toBe(false);
    await clock.advance(limits.queueRoomEveryMs);
    expect(await room.take(600)).toBe(true);
  });

  test("is asked for once in a while, and by what was last known while nobody leads", async () => {
    const { clock, leader, room } = create();
    leader.live = max - 10;
    await Promise.all(Array.from({ length: 20 }, () => room.take(2)));
    expect(leader.asked).toBe(1);

    leader.isAway = true;
    await clock.advance(limits.queueRoomEveryMs);

    expect(await room.take(2)).toBe(false);
    expect(leader.asked).toBe(2);
  });

  test("one task takes it unasked: the broker counts messages", async () => {
    const { leader, room } = create();
    leader.live = max;

    expect(await room.take(1)).toBe(true);
    expect(leader.asked).toBe(0);
  });
});

const emptyPool = {
  pool: "pools/default",
  waiting: 0,
  running: 0,
  backlogSeconds: 0,
  oldestSeconds: 0,
  classes: [],
  reasons: [],
  projects: [],
  projectCount: 0,
  weights: 0,
  usedSeconds: 0,
  warmStarts: 0,
  coldStarts: 0,
};
