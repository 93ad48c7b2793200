/** W: what happens to workers, and what their tasks must not notice. */
import { limits } from "@zfarm/contract";
import { metricOf } from "../farm/probe.ts";
import { openBlobs } from "../farm/scan-farm.ts";
import { writePromptOrder } from "../prompt-order.ts";
import { createMemoryGroup } from "./memory-group.ts";
import type { Ground, Row, RowGroup } from "./row.ts";
import type { RowContext } from "./row-context.ts";

const slow = writePromptOrder("slow", 3_000);
const recoveryMs = limits.leaseMs + 3_000;

const killedMidRender: Row = {
  id: "W1",
  promise: "a worker killed in the middle of a render: another one draws, within lease + 3 s",
  run: async (context) => {
    const { job, ended } = await context.submit({ prompt: slow });
    const { worker } = await context.begun(job);
    const killedMs = await kill(context, worker);
    const { atMs } = await context.begun(job, 2);
    context.note("recoveryMs", atMs - killedMs);
    await ended;
    context.check(atMs - killedMs < recoveryMs, `recovered within ${recoveryMs} ms`);
  },
};

const killedAfterPut: Row = {
  id: "W2",
  promise: "killed between upload and outcome: the second attempt's picture is the one that counts",
  run: async (context) => {
    const { job, ended } = await haltInPool(context, "worker-w2a", "after-put");
    await kill(context, "worker-w2a");
    await context.addWorker("worker-w2b");
    await ended;
    context.check(context.begins(job).length === 2, "exactly two attempts");
  },
};

const killedAfterOutcome: Row = {
  id: "W3",
  promise: "killed right after its outcome was stored: nobody draws again",
  run: async (context) => {
    const { job, ended } = await haltInPool(context, "worker-w3a", "after-outcome");
    await kill(context, "worker-w3a");
    await context.addWorker("worker-w3b");
    await ended;
    await context.wait(recoveryMs);
    context.check(context.begins(job).length === 1, "exactly one attempt");
  },
};

const zombie: Row = {
  id: "W4",
  promise: "a worker frozen for two leases: another one draws, and the late result does not count",
  run: async (context) => {
    await context.addWorker("worker-w4a");
    await context.addWorker("worker-w4b");
    const { job, ended } = await context.submit({ prompt: slow, pool: context.pool });
    const { worker } = await context.begun(job);
    const zombieWorker = context.worker(worker);
    context.farm.fault("stop-worker", worker);
    const thawing = zombieWorker.freezeFor(limits.leaseMs * 2);
    await context.begun(job, 2);
    await ended;
    await thawing;
    // Its picture came second, or the leader's command to stop came before it.
    const late = async (): Promise<boolean> => {
      const lost = await metricOf(zombieWorker, "zfarm_images_total", 'outcome="lost"');
      const canceled = await metricOf(zombieWorker, "zfarm_images_total", 'outcome="canceled"');
      return (lost ?? 0) + (canceled ?? 0) === 1;
    };
    await context.until("the zombie's result is dropped", 15_000, late);
  },
};

const frozenBeforePut: Row = {
  id: "W5",
  promise: "frozen before its upload until the task has ended: its late object is taken back",
  run: async (context) => {
    const { job, ended } = await haltInPool(context, "worker-w5a", "before-put");
    await context.addWorker("worker-w5b");
    await ended;
    context.worker("worker-w5a").thaw();
    const blobs = await openBlobs(context.farm);
    await context.until("only the winner's object is left", 15_000, async () => {
      const lost = await metricOf(context.worker("worker-w5a"), "zfarm_duplicate_results_total");
      const keys = await Array.fromAsync(blobs.list(`default/${job}/`), ({ key }) => key);
      return (lost ?? 0) === 1 && keys.length === 1;
    });
    await blobs.close();
  },
};

const blockedEngine: Row = {
  id: "W6",
  promise: "an engine that blocks for two leases keeps its lease: its worker beats on",
  run: async (context) => {
    const prompt = writePromptOrder("block", limits.leaseMs * 2);
    const { job, ended } = await context.submit({ prompt });
    await ended;
    context.check(context.repeats(job) === 0, "exactly one attempt");
  },
};

const terminated: Row = {
  id: "W7",
  promise: "told to stop while it draws: exit code 0, and no attempt is charged",
  run: async (context) => {
    const { job, ended } = await context.submit({ prompt: slow });
    const { worker } = await context.begun(job);
    context.farm.fault("terminate-worker", worker);
    const how = await context.worker(worker).terminate();
    await ended;
    context.check(how === "exit code 0", `ended with ${how}`);
    await context.checkAttempts(job, 1);
  },
};

const crashLoop: Row = {
  id: "W8",
  promise: "a worker that crashes at every start: its pool's tasks wait, unharmed, for a good one",
  run: async (context) => {
    const good = await context.addWorker("worker-w8a");
    await good.terminate();
    const env = { MODEL_DIR: "crashing" };
    const bad = await context.addWorker("worker-w8b", { env, ready: false });
    const { job, ended } = await context.submit({ count: 3, pool: context.pool });
    await context.until("it has given up once", 30_000, () => bad.exits.length > 0);
    context.note("starts", bad.starts);
    context.check(context.begins(job).length === 0, "nobody began");
    good.start();
    await ended;
    await context.checkAttempts(job, 1);
  },
};

const outOfMemory: Row = {
  id: "W13",
  promise: "a task that takes all memory ends after three attempts, and its worker draws on",
  needs: ["cgroups"],
  run: async (context) => {
    const group = await createMemoryGroup(400);
    context.undo(() => group.remove());
    await context.addWorker("worker-w13", { prefix: group.prefix });
    const prompt = writePromptOrder("memory", 800);
    const greedy = await context.submit({ prompt, pool: context.pool });
    await greedy.ended;
    await context.checkAttempts(greedy.job, limits.attemptsMax);
    const modest = await context.submit({ count: 2, pool: context.pool });
    await modest.ended;
  },
};

const twins: Row = {
  id: "W19",
  promise: "two workers under one name: whatever they do to each other, every task ends once",
  run: async (context) => {
    await context.addWorker("worker-1", { env: { WORKER_POOL: "default" } });
    const { errors } = await context.load(60);
    context.note("errors", JSON.stringify(errors));
  },
};

export const workerGroup: RowGroup<Ground> = {
  name: "workers",
  open: async () => ({ farm: { workers: 3 } }),
  rows: [
    killedMidRender,
    killedAfterPut,
    killedAfterOutcome,
    zombie,
    frozenBeforePut,
    blockedEngine,
    terminated,
    crashLoop,
    outOfMemory,
    twins,
  ],
  toleratedFailures: ["ENGINE_CRASHED", "OUT_OF_MEMORY", "WORKER_LOST", "POISONED"],
};

/** Kills a worker for good; gives the moment. */
async function kill(context: RowContext, worker: string): Promise<number> {
  context.farm.fault("kill-worker", worker);
  const atMs = context.farm.history.now();
  await context.worker(worker).kill({ hold: true });
  return atMs;
}

/** A task whose worker, alone in the row's pool, stands still at a point between its writes. */
async function haltInPool(context: RowContext, worker: string, point: string) {
  await context.addWorker(worker, { env: { CHAOS_HALT: point } });
  const started = await context.submit({ pool: context.pool });
  await context.halted(worker);
  return started;
}
