/** N: what happens to the broker, up to its total loss of memory. */
import { setTimeout as sleep } from "node:timers/promises";
import { FarmError, limits } from "@zfarm/contract";
import { planFaults } from "../nemesis/plan-faults.ts";
import { runFaults } from "../nemesis/run-faults.ts";
import { writePromptOrder } from "../prompt-order.ts";
import type { Ground, Row, RowGroup } from "./row.ts";
import type { RowContext } from "./row-context.ts";
import { withStreams } from "./streams.ts";

const killed: Row = {
  id: "N1",
  promise: "nats-server killed every 2 s under load: nothing lost, nothing twice",
  run: async (context) => {
    const over = new AbortController();
    const rate = { kind: "kill-nats", everyMs: 2_000, isRegular: true } as const;
    const plan = planFaults([rate], 60_000, context.random);
    const faulting = runFaults(context.farm, plan, over.signal);
    const { errors } = await context.load(120);
    over.abort();
    await faulting;
    context.note("kills", context.farm.nats.exits.length);
    context.note("errors", JSON.stringify(errors));
    context.check(context.farm.nats.exits.length >= 3, "at least three kills");
  },
};

const frozen: Row = {
  id: "N2",
  promise: "nats-server frozen for 10 s: submits fail or wait, their retries double nothing",
  run: async (context) => {
    const { nats, fault } = { nats: context.farm.nats, fault: "stop-nats" };
    context.farm.fault(fault, nats.name);
    const thawing = nats.freezeFor(10_000);
    const submitting = Array.from({ length: 4 }, async () => {
      const started = await context.submit({ count: 5 });
      await started.ended;
    });
    await Promise.all([thawing, ...submitting]);
    context.note("errors", JSON.stringify(context.clients.errors));
  },
};

const full: Row = {
  id: "N4",
  promise: "the queue at its bound: refused with QUEUE_FULL and when to retry, nothing is kept",
  run: async (context) => {
    const queueMax = (max: number) =>
      withStreams(context.farm, async (manager) => {
        await manager.streams.update("QUEUE", { max_msgs: max });
      });
    context.undo(() => queueMax(limits.queueTasksMax));
    const prompt = writePromptOrder("slow", 2_000);
    const first = await context.submit({ count: 10, prompt });
    // Room for one bundle beside the first job's, which may have ended by then.
    await queueMax(2);
    context.farm.fault("full", "QUEUE");
    const error = await refusalOf(context, 3 * limits.bundleTasksMax);
    context.check(error?.code === "QUEUE_FULL", `refused with ${error?.code}`);
    context.note("retryAfterMs", error?.retryAfterMs ?? -1);
    context.check((error?.retryAfterMs ?? 0) > 0, "the refusal says when to come back");
    await queueMax(limits.queueTasksMax);
    const second = await context.submit({ count: 10 });
    await Promise.all([first.ended, second.ended]);
  },
};

export const brokerGroup: RowGroup<Ground> = {
  name: "broker",
  open: async () => ({ farm: { workers: 4, natsRestartMs: 100 } }),
  rows: [killed, frozen, full],
};

/** Asks for a job that cannot fit and writes the answer down; undefined where it was accepted. */
async function refusalOf(context: RowContext, count: number): Promise<FarmError | undefined> {
  const { job, request } = context.prepare({ count });
  const { history } = context.farm;
  try {
    await context.client.createJob({ ...request, signal: context.stop });
    history.entries.push({ atMs: history.now(), kind: "submit-ok", job, returned: job });
    return undefined;
  } catch (thrown) {
    const error = FarmError.from(thrown);
    history.entries.push({ atMs: history.now(), kind: "submit-refused", job, code: error.code });
    // Whatever was stored of it has been canceled by then.
    await sleep(1_000);
    return error;
  }
}
