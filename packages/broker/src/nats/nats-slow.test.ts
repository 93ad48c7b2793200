/** The broker answers, only late. */

import { limits } from "@zfarm/contract";
import {
  type FaultProxy,
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
    const seen: string[] = [];

    for await (const followed of far.outcomes.follow({ after: 0n, stop: never })) {
      seen.push(followed.kind);
      if (followed.kind === "caught-up") break;
    }

    expect(seen).toEqual(["entry", "entry", "entry", "caught-up"]);
  });
});
