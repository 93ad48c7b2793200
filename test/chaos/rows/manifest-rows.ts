/** N3, N10: the broker loses what it had said was stored, and manifests bring it back. */
import { rm } from "node:fs/promises";
import { defaultProject, type JobId, jobName, limits } from "@zfarm/contract";
import { problemsOf } from "../farm/probe.ts";
import { writePromptOrder } from "../prompt-order.ts";
import { copyStore, restoreStore } from "./nats-store.ts";
import type { Ground, Row, RowGroup } from "./row.ts";
import type { RowContext } from "./row-context.ts";
import { withStreams } from "./streams.ts";

const slow = writePromptOrder("slow", 2_000);
const noticedWithinMs = 5_000;
const restoredWithinMs = 60_000;

const deletedStream: Row = {
  id: "N3",
  promise: "the queue deleted under load: noticed within 5 s, restored, and nothing is lost",
  run: async (context) => {
    const { farm } = context;
    const done = await submitUnwatched(context, { count: 6 });
    await untilSucceeded(context, done, 6);
    const pending = await submitUnwatched(context, { count: 12, prompt: slow });
    await context.begun(pending, 2);
    farm.fault("delete-stream", "QUEUE");
    const lostMs = farm.history.now();
    const gatewayStarts = farm.gateways.map((each) => each.starts);
    await withStreams(farm, (manager) => manager.streams.delete("QUEUE"));
    await context.until("the gateway notices", noticedWithinMs, async () => {
      const isRestarted = farm.gateways.some((each, at) => each.starts !== gatewayStarts[at]);
      const problems = await Promise.all(farm.gateways.map((each) => problemsOf(each)));
      return isRestarted || problems.some((problem) => problem !== "");
    });
    context.note("noticedMs", farm.history.now() - lostMs);
    await expectRestored(context, { done, pending }, lostMs);
  },
};

const lostSuffix: Row = {
  id: "N10",
  promise:
    "an older state of the broker's disk put back: what came since is restored, none redrawn",
  run: async (context) => {
    const { farm } = context;
    const copy = await copyStore(farm);
    context.undo(() => rm(copy, { recursive: true, force: true }));
    await farm.heal();
    const done = await submitUnwatched(context, { count: 6 });
    await untilSucceeded(context, done, 6);
    const pending = await submitUnwatched(context, { count: 12, prompt: slow });
    await context.begun(pending, 2);
    farm.fault("lose-suffix", "nats-server");
    const lostMs = farm.history.now();
    await restoreStore(farm, copy);
    await expectRestored(context, { done, pending }, lostMs);
  },
};

export const manifestGroup: RowGroup<Ground> = {
  name: "manifests",
  open: async () => ({
    farm: {
      workers: 3,
      env: { DURABILITY: "manifest" },
      // Whoever supervises the schedulers has been told that lost streams may be made anew.
      change: (name) => {
        return name.startsWith("scheduler") ? { env: { NATS_STREAMS: "recreate" } } : {};
      },
    },
  }),
  rows: [deletedStream, lostSuffix],
};

/** Watchers hear outcomes again when these were restored, so nobody watches until then. */
async function submitUnwatched(
  context: RowContext,
  wish: { readonly count: number; readonly prompt?: string },
): Promise<JobId> {
  const { job, request } = context.prepare(wish);
  context.check(await context.clients.submit(job, request), "the job is accepted");
  return job;
}

async function untilSucceeded(context: RowContext, job: JobId, count: number): Promise<void> {
  const name = jobName({ project: defaultProject, job });
  await context.until(`${count} tasks succeed`, 30_000, async () => {
    return (await context.client.getJob(name)).counts?.succeeded === count;
  });
}

async function expectRestored(
  context: RowContext,
  jobs: { readonly done: JobId; readonly pending: JobId },
  lostMs: number,
): Promise<void> {
  const { farm } = context;
  // Whoever looked before the loss was noticed would find everybody well.
  await context.wait(2 * limits.brokerCheckMs);
  await context.until("the farm is restored", restoredWithinMs, async () => {
    const all = [...farm.schedulers, ...farm.gateways, ...farm.workers];
    const ready = await Promise.all(all.map((each) => each.isReady()));
    return ready.every(Boolean);
  });
  context.note("restoredMs", farm.history.now() - lostMs);
  const ended = await Promise.all([
    context.clients.watch(jobs.done),
    context.clients.watch(jobs.pending),
  ]);
  context.check(ended.every(Boolean), "every task ends");
  context.check(context.repeats(jobs.done) === 0, "no picture that was there is drawn again");
}
