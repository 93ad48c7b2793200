import { limits } from "@zfarm/contract";
import { createManualClock, type ManualClock } from "@zfarm/testing";
import { describe, expect, test } from "vitest";
import { type KubernetesAsk, KubernetesClient } from "./kubernetes-client.ts";
import type { KubernetesReply } from "./kubernetes-transport.ts";

const ask: KubernetesAsk = { what: "list pods", method: "GET", path: "/api/v1/pods" };
const never = new AbortController().signal;
const ok: KubernetesReply = { status: 200, body: { items: [] } };

/** Answers in this order, the last one for ever; an error is thrown. */
function clientOf(...answers: (KubernetesReply | Error)[]) {
  const clock = createManualClock();
  let sent = 0;
  const transport = {
    send: async (): Promise<KubernetesReply> => {
      const answer = answers[Math.min(sent, answers.length - 1)] ?? ok;
      sent += 1;
      if (answer instanceof Error) throw answer;
      return answer;
    },
    close: async () => undefined,
  };
  const client = new KubernetesClient({ transport, clock, random: () => 0.5 });
  return { client, clock, sent: () => sent };
}

/** Lets time pass until it settles; the clock's time that it took. */
async function timeOf(clock: ManualClock, asking: Promise<unknown>): Promise<number> {
  let isOver = false;
  const over = asking.then(
    () => void (isOver = true),
    () => void (isOver = true),
  );
  while (!isOver) await clock.advance(10);
  await over;
  return clock.monotonic();
}

describe("a question to the API server", () => {
  test.each([
    ["429", { status: 429, body: {} }],
    ["503", { status: 503, body: {} }],
    ["a connection that broke", new TypeError("fetch failed")],
  ])("is asked again after %s", async (_, trouble) => {
    const { client, clock, sent } = clientOf(trouble, ok);

    const asking = client.ask(ask, never);
    const waitedMs = await timeOf(clock, asking);

    expect(await asking).toEqual(ok);
    expect(sent()).toBe(2);
    expect(waitedMs).toBeGreaterThanOrEqual(limits.kubernetesBackoffMsFirst / 2);
  });

  test("waits as long as the server asks for, within a bound", async () => {
    const short = clientOf({ status: 429, body: {}, retryAfterMs: 1_000 }, ok);
    const long = clientOf({ status: 429, body: {}, retryAfterMs: 3_600_000 }, ok);

    const shortMs = await timeOf(short.clock, short.client.ask(ask, never));
    const longMs = await timeOf(long.clock, long.client.ask(ask, never));

    expect([shortMs, longMs]).toEqual([1_000, limits.kubernetesBackoffMsMax]);
  });

  test("is given up after a few tries, and says what for and what the server said", async () => {
    const trouble = { status: 500, body: { kind: "Status", message: "etcd is away" } };
    const { client, clock, sent } = clientOf(trouble);

    const asking = client.ask(ask, never);
    await timeOf(clock, asking);

    await expect(asking).rejects.toMatchObject({
      code: "CLUSTER_UNAVAILABLE",
      message: "Kubernetes did not list pods: 500 etcd is away",
    });
    expect(sent()).toBe(limits.kubernetesTriesMax);
  });

  test("is not asked again when it was refused", async () => {
    const { client, sent } = clientOf({ status: 403, body: { message: "pods is forbidden" } });

    await expect(client.ask(ask, never)).rejects.toThrow("403 pods is forbidden");
    expect(sent()).toBe(1);
  });

  test("that does something once is not asked again when its answer got lost", async () => {
    const { client, sent } = clientOf(new TypeError("fetch failed"));

    const asking = client.ask({ ...ask, isOnce: true }, never);

    await expect(asking).rejects.toMatchObject({ code: "CLUSTER_UNAVAILABLE" });
    expect(sent()).toBe(1);
  });

  test("that does something once is asked again when it was turned away", async () => {
    const { client, clock, sent } = clientOf({ status: 429, body: {} }, ok);

    const asking = client.ask({ ...ask, isOnce: true }, never);
    await timeOf(clock, asking);

    expect(await asking).toEqual(ok);
    expect(sent()).toBe(2);
  });

  test("ends with the stop, and not with an error of the server's", async () => {
    const stop = new AbortController();
    const { client, clock } = clientOf({ status: 503, body: {} });
    const asking = client.ask(ask, stop.signal);
    await clock.sleeping();

    stop.abort(new Error("the term is over"));

    await expect(asking).rejects.toThrow("the term is over");
  });
});
