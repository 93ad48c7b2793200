/** N6, N7: the broker is well, and the way to it is slow or silent. */
import { limits } from "@zfarm/contract";
import { findFreePort } from "@zfarm/runtime";
import { type FaultProxy, startFaultProxy } from "@zfarm/testing";
import { metricOf, problemsOf } from "../farm/probe.ts";
import { writePromptOrder } from "../prompt-order.ts";
import { createRandom } from "../random.ts";
import type { Ground, Row, RowGroup } from "./row.ts";

interface LinkGround extends Ground {
  /** The way of each process to the broker, by the name of the process. */
  readonly proxies: ReadonlyMap<string, FaultProxy>;
}

const workers = 3;
const names = [
  ...Array.from({ length: workers }, (_, index) => `worker-${index + 1}`),
  "scheduler-1",
  "scheduler-2",
  "gateway-1",
];
/** Each way: 500 ms there and back on average. */
const slowness = { delayMs: 250, jitterMs: 100 };
/** Two pings unanswered, and the third interval in which that is seen. */
const noticedWithinMs = 3 * limits.brokerPingMs + 1_000;
const takeoverMs = 6_000;

const slow: Row<LinkGround> = {
  id: "N6",
  promise: "500 ms ± 200 between everyone and the broker: slower, and no lease is lost",
  run: async (context, { proxies }) => {
    context.undo(() => setAll(proxies, {}));
    context.farm.fault("slow-link", "all");
    setAll(proxies, slowness);
    const prompt = writePromptOrder("slow", 6_000);
    const { job, ended } = await context.submit({ count: workers, prompt });
    const { errors } = await context.load(30);
    await ended;
    context.note("errors", JSON.stringify(errors));
    context.check(context.repeats(job) === 0, "no lease is lost");
  },
};

const silent: Row<LinkGround> = {
  id: "N7",
  promise: "connections that swallow everything without a word: noticed in time, and resumed",
  run: async (context, { proxies }) => {
    const { farm } = context;
    context.undo(() => setAll(proxies, {}));
    const worker = context.worker("worker-1");
    const leader = await farm.leader();
    const silentMs = farm.history.now();
    for (const each of [worker, leader]) {
      farm.fault("black-hole", each.name);
      proxies.get(each.name)?.set({ blackHole: "both" });
    }
    const loading = context.load(30);
    await context.until("the standby leads", 2 * takeoverMs, async () => {
      const others = farm.schedulers.filter((each) => each !== leader);
      return (await metricOf(others[0] ?? leader, "zfarm_scheduler_leader")) === 1;
    });
    context.note("takeoverMs", farm.history.now() - silentMs);
    for (const each of [worker, leader]) {
      await context.until(`${each.name} notices`, noticedWithinMs, async () => {
        return ((await problemsOf(each)) ?? "") !== "";
      });
    }
    context.note("noticedMs", farm.history.now() - silentMs);
    await loading;
    setAll(proxies, {});
    const healedMs = farm.history.now();
    for (const each of [worker, leader]) await each.ready(15_000);
    context.note("resumedMs", farm.history.now() - healedMs);
    await context.load(20);
  },
};

export const linkGroup: RowGroup<LinkGround> = {
  name: "links",
  open: openGround,
  rows: [slow, silent],
};

async function openGround(seed: string): Promise<LinkGround> {
  const natsPort = await findFreePort();
  const proxies = new Map<string, FaultProxy>();
  for (const name of names) {
    const random = createRandom(seed).fork(name);
    const options = { targetPort: natsPort, random: () => random.next() };
    proxies.set(name, await startFaultProxy(options));
  }
  return {
    proxies,
    farm: {
      workers,
      natsPort,
      change: (name) => ({ env: { NATS_URL: `nats://127.0.0.1:${proxies.get(name)?.port}` } }),
    },
    close: async () => {
      for (const proxy of proxies.values()) await proxy.stop();
    },
  };
}

function setAll(
  proxies: ReadonlyMap<string, FaultProxy>,
  toxics: Parameters<FaultProxy["set"]>[0],
): void {
  for (const proxy of proxies.values()) proxy.set(toxics);
}
