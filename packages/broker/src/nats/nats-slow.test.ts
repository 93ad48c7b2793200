/** The broker answers, only late. */

import { limits } from "@zfarm/contract";
import {
  type FaultProxy,
  FollowReader,
  findServerForTests,
  type NatsFarm,
  never,
  openNatsFarm,
  someOutcome,
  startFaultProxy,
} from "@zfarm/testing";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

const hasServer = (await findServerForTests()) !== undefined;

describe.runIf(hasServer)("while the broker is slow", () => {
  let farm: NatsFarm;
  let proxy: FaultProxy;
  beforeEach(async () => {
    farm = await openNatsFarm();
    const targetPort = Number(new URL(farm.server.url).port);
    proxy = await startFaultProxy({ targetPort });
  });
  afterEach(async () => {
    await farm.close();
    await proxy.stop();
  });

  test("a follower catches up although every answer takes longer than a stall", async () => {
    const near = await farm.connect();
    for (let index = 0; index < 3; index += 1) await near.outcomes.publish(someOutcome({ index }));
    const far = await farm.connect({ servers: [`nats://127.0.0.1:${proxy.port}`] });
    proxy.set({ delayMs: limits.followStallMs });
    const follow = new FollowReader(far.outcomes.follow({ after: 0n, stop: never }));

    expect(await follow.untilCaughtUp()).toHaveLength(3);
  });

  test("a follower that reads too slowly lets go and goes on behind what it read", async () => {
    const near = await farm.connect();
    const slow = await farm.connect({ bounds: { followUnreadMax: 5 } });
    const follow = new FollowReader(slow.outcomes.follow({ after: 0n, stop: never }));
    await follow.untilCaughtUp();
    const indexes = [...Array(100).keys()];

    // Nothing is read while these come.
    for (const index of indexes) await near.outcomes.publish(someOutcome({ index }));

    const seen = await follow.take(indexes.length);
    expect(seen.map(({ outcome }) => outcome.spec?.index)).toEqual(indexes);
  });
});
