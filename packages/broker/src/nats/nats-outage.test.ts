/** The broker is away, silent or swallows an answer: calls end in time and tell the truth. */
import { OutcomeKind } from "@zfarm/contract";
import { systemClock } from "@zfarm/runtime";
import {
  type CuttingProxy,
  codeOf,
  findServerForTests,
  type NatsFarm,
  never,
  openNatsFarm,
  someJob,
  someJobRecord,
  someOutcome,
  someTask,
  someWorkRequest,
  startCuttingProxy,
} from "@zfarm/testing";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

const bounds = { brokerRequestMs: 600, askTimeoutMs: 600, brokerCheckMs: 50 };
const hasServer = (await findServerForTests()) !== undefined;

describe.runIf(hasServer)("while the broker is away", () => {
  let farm: NatsFarm;
  beforeEach(async () => {
    farm = await openNatsFarm({ bounds });
  });
  afterEach(() => farm.close());

  test("every call fails with BROKER_UNAVAILABLE, and works again when it is back", async () => {
    const broker = await farm.connect();
    await farm.server.kill();

    const codes = await Promise.all([
      codeOf(broker.queue.add(someTask())),
      codeOf(broker.outcomes.publish(someOutcome())),
      codeOf(broker.outcomes.list(someJob())),
      codeOf(broker.jobs.create(someJobRecord())),
      codeOf(broker.link.ask(someWorkRequest(), never)),
      codeOf(broker.progress.subscribe(someJob(), () => undefined)),
    ]);
    expect(new Set(codes)).toEqual(new Set(["BROKER_UNAVAILABLE"]));
    expect(broker.problem()).toMatch(/^no connection to the broker for \d+ s$/);

    await farm.server.restart();
    await expect.poll(() => broker.problem()).toBeUndefined();
    expect(await broker.queue.add(someTask())).toBe("added");
  });

  test("what was refused meanwhile is not sent later", async () => {
    const broker = await farm.connect();
    await farm.server.kill();
    await codeOf(broker.outcomes.publish(someOutcome()));

    await farm.server.restart();
    await expect.poll(() => broker.problem()).toBeUndefined();

    expect(await broker.outcomes.list(someJob())).toEqual([]);
  });

  test("a frozen broker fails calls in bounded time, and a retry tells the truth", async () => {
    const broker = await farm.connect();
    const outcome = someOutcome({ fence: 7n, kind: OutcomeKind.SUCCEEDED });
    await farm.server.freeze();

    expect(await codeOf(broker.outcomes.publish(outcome))).toBe("BROKER_UNAVAILABLE");
    farm.server.thaw();

    expect(await broker.outcomes.publish(outcome)).toBe("won");
    expect(await broker.outcomes.publish(someOutcome({ fence: 8n }))).toBe("lost");
  });

  test("a leader stops leading when it cannot renew, and the next epoch is later", async () => {
    const lease = { leaderLeaseMs: 800, leaderRenewMs: 100, leaderRetryMs: 50 };
    const broker = await farm.connect({ bounds: { ...bounds, ...lease } });
    const first = await broker.leadership.acquire("one", never);

    await farm.server.kill();
    await expect.poll(() => first.lost.aborted).toBe(true);
    const again = broker.leadership.acquire("one", never);
    await systemClock.sleep(lease.leaderLeaseMs, never);
    await farm.server.restart();

    expect((await again).epoch > first.epoch).toBe(true);
  });

  test("a follower says that more may be stored than it knows, and how much it was", async () => {
    const broker = await farm.connect();
    const other = await farm.connect();
    const unread: number[] = [];
    const stop = new AbortController();
    const read = async () => {
      for await (const followed of broker.outcomes.follow({ after: 0n, stop: stop.signal })) {
        if (followed.kind === "entries") unread.push(followed.unread);
      }
    };
    const reading = read();
    await expect.poll(() => unread).toEqual([0]);

    await farm.server.kill();
    await expect.poll(() => unread.at(-1)).toBe(Number.POSITIVE_INFINITY);
    await farm.server.restart();
    await expect.poll(() => unread.at(-1)).toBe(0);
    await other.outcomes.publish(someOutcome());

    await expect.poll(() => unread).toEqual([0, Number.POSITIVE_INFINITY, 0, 0]);
    stop.abort();
    await reading;
  });

  test("a broker without JetStream is refused at the start and reported later", async () => {
    const broker = await farm.connect();

    await farm.server.restart({ withoutJetStream: true });

    await expect
      .poll(() => broker.problem())
      .toBe("checking the streams failed: jetstream is not enabled");
    expect(await codeOf(broker.queue.add(someTask()))).toBe("BROKER_UNAVAILABLE");
    expect(await codeOf(farm.connect())).toBe("BROKER_UNAVAILABLE");
    await farm.server.restart();
    await expect.poll(() => broker.problem()).toBeUndefined();
  });

  test("connecting to nobody fails", async () => {
    await farm.server.kill();

    expect(await codeOf(farm.connect())).toBe("BROKER_UNAVAILABLE");
  });
});

describe.runIf(hasServer)("when the broker's answer gets lost", () => {
  let farm: NatsFarm;
  let proxy: CuttingProxy;
  beforeEach(async () => {
    farm = await openNatsFarm();
    proxy = await startCuttingProxy(Number(new URL(farm.server.url).port));
  });
  afterEach(async () => {
    await farm.close();
    await proxy.stop();
  });

  test("the winner still learns that it won", async () => {
    const broker = await farm.connect({ servers: [`nats://127.0.0.1:${proxy.port}`] });
    proxy.cutAnswerTo("PUB outcome.");

    const told = await broker.outcomes.publish(someOutcome({ fence: 1n }));

    expect([told, proxy.cuts]).toEqual(["won", 1]);
    expect(await broker.outcomes.list(someJob())).toHaveLength(1);
  });

  test("an added task counts as added, a rewritten one as rewritten", async () => {
    const broker = await farm.connect({ servers: [`nats://127.0.0.1:${proxy.port}`] });
    proxy.cutAnswerTo("PUB queue.");
    const added = await broker.queue.add(someTask());
    proxy.cutAnswerTo("PUB queue.");
    const rewritten = await broker.queue.rewrite(someTask({ attempts: 1 }), 1n);

    expect([added, rewritten, proxy.cuts]).toEqual(["added", 2n, 2]);
  });

  test("a removal that happened is not a failure", async () => {
    const broker = await farm.connect({ servers: [`nats://127.0.0.1:${proxy.port}`] });
    await broker.queue.add(someTask());
    proxy.cutAnswerTo("STREAM.MSG.DELETE");

    await broker.queue.remove(1n);

    expect(proxy.cuts).toBe(1);
  });
});
