/** S: what happens to the leader and its standby. */
import { defaultProject, limits } from "@zfarm/contract";
import { metricOf, problemsOf } from "../farm/probe.ts";
import { connectHarness, readQueue } from "../farm/scan-farm.ts";
import { writePromptOrder } from "../prompt-order.ts";
import { withStoreCopy } from "./nats-store.ts";
import type { Ground, Row, RowGroup } from "./row.ts";
import type { RowContext } from "./row-context.ts";
import { withStreams } from "./streams.ts";

/** Leadership is taken over when the lease ran out; then workers are heard for two beats. */
const takeoverMs = 6_000;
const frozenMs = 30_000;
const rebuildSeconds = 5;

const killedLeader: Row = {
  id: "S1",
  promise: "the leader killed: the standby grants within 6 s, and no lease is broken",
  run: async (context) => {
    const prompt = writePromptOrder("slow", 2_500);
    const held = await context.submit({ count: 3, prompt });
    await context.begun(held.job, 3);
    const leader = await context.farm.leader();
    context.farm.fault("kill-leader", leader.name);
    const killedMs = context.farm.history.now();
    await leader.kill();
    const next = await context.submit({ count: 3 });
    const { atMs } = await context.begun(next.job);
    context.note("gapMs", atMs - killedMs);
    await Promise.all([held.ended, next.ended]);
    context.check(context.repeats(held.job) === 0, "no lease is broken");
    context.checkWithin(atMs - killedMs, takeoverMs, `granted within ${takeoverMs} ms`);
  },
};

const frozenLeader: Row = {
  id: "S2",
  promise: "the leader frozen for 30 s: the standby leads, and the old one steps down when thawed",
  run: async (context) => {
    const leader = await context.farm.leader();
    context.farm.fault("stop-leader", leader.name);
    const thawing = leader.freezeFor(frozenMs);
    const loading = context.load(40);
    await context.until("the standby leads", 2 * takeoverMs, async () => {
      const others = context.farm.schedulers.filter((each) => each !== leader);
      const leads = await Promise.all(others.map((each) => isLeading(each)));
      return leads.some(Boolean);
    });
    await thawing;
    await context.until("the old leader has stepped down", takeoverMs, async () => {
      return (await metricOf(leader, "zfarm_scheduler_leader")) === 0;
    });
    await loading;
  },
};

const twoLeaders: Row = {
  id: "S3",
  promise: "two leaders at once, again and again: wasted work at most",
  run: async (context) => {
    const loading = context.load(60);
    const epochs = new Set<number>();
    for (let count = 0; count < 12; count += 1) {
      context.farm.fault("forget-lease", "leader");
      // The lease vanishes while its holder believes in it: the standby takes it at once.
      await withStreams(context.farm, (manager) => manager.streams.purge("KV_leader"));
      await context.wait(700);
      for (const scheduler of context.farm.schedulers) {
        const epoch = await metricOf(scheduler, "zfarm_scheduler_epoch");
        if (epoch !== undefined) epochs.add(epoch);
      }
    }
    context.note("epochs", epochs.size);
    await loading;
    context.check(epochs.size >= 6, "leadership changed hands");
  },
};

const bigRestart: Row = {
  id: "S4",
  promise: "both schedulers killed with 10,000 tasks queued: rebuilt within 5 s",
  run: async (context) => {
    const jobs = [];
    await openPool(context);
    for (let count = 0; count < 10; count += 1) {
      const { job, request } = context.prepare({ count: 1_000, pool: context.pool });
      context.check(await context.clients.submit(job, request), "the job is accepted");
      jobs.push(job);
    }
    for (const scheduler of context.farm.schedulers) {
      context.farm.fault("kill-scheduler", scheduler.name);
      await scheduler.kill();
    }
    const leader = await context.farm.leader();
    const seconds = (await metricOf(leader, "zfarm_scheduler_rebuild_seconds")) ?? Infinity;
    context.note("rebuildMs", seconds * 1_000);
    const waiting = await context.until("the leader knows all tasks", 10_000, async () => {
      const count = await metricOf(leader, "zfarm_requests_waiting", context.pool);
      return count === 10_000 ? count : undefined;
    });
    context.note("waiting", waiting);
    for (const job of jobs) await context.clients.cancel(job);
    context.check(seconds <= rebuildSeconds, `rebuilt within ${rebuildSeconds} s`);
  },
};

const killedExpansion: Row = {
  id: "S5",
  promise: "the gateway killed while it stores a job of 1,000 tasks: the retry stores each once",
  run: async (context) => {
    await openPool(context);
    const { job, request } = context.prepare({ count: 1_000, pool: context.pool });
    const submitting = context.clients.submit(job, request);
    await context.until("some tasks are stored", 10_000, async () => {
      const stored = await countQueued(context, job);
      context.note("storedAtKill", stored);
      return stored > 0;
    });
    for (const gateway of context.farm.gateways) {
      context.farm.fault("kill-gateway", gateway.name);
      await gateway.kill();
    }
    context.check(await submitting, "the retry is accepted");
    const stored = await countQueued(context, job);
    context.check(stored === 1_000, `${stored} tasks are queued`);
    await context.clients.cancel(job);
  },
};

const lowerQuota: Row = {
  id: "S8",
  promise: "a project's quota lowered below what it has: that is kept, more is refused",
  run: async (context) => {
    const setQuota = async (queuedTasksMax: number): Promise<void> => {
      const share = { weight: 1, guaranteeTasks: 0, burstTasks: 0, queuedTasksMax };
      await context.client.updateProjectPolicy({ name: `projects/${defaultProject}`, ...share });
    };
    context.undo(() => setQuota(0));
    const prompt = writePromptOrder("slow", 800);
    const { job, ended } = await context.submit({ count: 30, prompt });
    await context.begun(job);
    context.farm.fault("lower-quota", defaultProject);
    await setQuota(5);
    // Gateways and the leader hear of it a moment later.
    await context.wait(1_500);
    const more = context.prepare({ count: 10 });
    const answer = await context.clients.submitOnce(more.job, more.request);
    context.note("errors", JSON.stringify(context.clients.errors));
    context.check(answer === "refused", `10 more are ${answer}`);
    await ended;
    await setQuota(0);
    await context.wait(1_500);
    await (await context.submit({ count: 10 })).ended;
  },
};

const missingStream: Row = {
  id: "S6",
  promise: "started over a lost stream: not ready, and nothing is created or deleted",
  run: async (context) => {
    const { farm } = context;
    const services = [...farm.schedulers, ...farm.gateways, ...farm.workers];
    for (const service of services) await service.kill({ hold: true });
    await withStoreCopy(farm, async () => {
      farm.fault("delete-stream", "QUEUE");
      await withStreams(farm, (manager) => manager.streams.delete("QUEUE"));
      const before = await describeStreams(context);
      for (const service of [...farm.schedulers, ...farm.gateways]) service.start();
      await context.wait(2 * limits.brokerCheckMs + 3_000);
      for (const service of [...farm.schedulers, ...farm.gateways]) {
        const problems = await problemsOf(service);
        context.check(problems !== "", `${service.name} is not ready`);
      }
      context.check((await describeStreams(context)) === before, "the streams are as they were");
      for (const service of services) await service.kill({ hold: true });
    });
  },
};

export const schedulerGroup: RowGroup<Ground> = {
  name: "schedulers",
  open: async () => ({ farm: { workers: 3, gateways: 2 } }),
  rows: [
    killedLeader,
    frozenLeader,
    twoLeaders,
    bigRestart,
    killedExpansion,
    lowerQuota,
    missingStream,
  ],
};

async function isLeading(scheduler: Parameters<typeof metricOf>[0]): Promise<boolean> {
  return (await metricOf(scheduler, "zfarm_scheduler_leader")) === 1;
}

/** The pool becomes known and then has no worker: what is submitted to it stays queued. */
async function openPool(context: RowContext): Promise<void> {
  const worker = await context.addWorker(`worker-${context.id.toLowerCase()}`);
  await worker.terminate();
}

async function countQueued(context: RowContext, job: string): Promise<number> {
  const broker = await connectHarness(context.farm);
  try {
    return (await readQueue(broker)).filter((task) => task.job === job).length;
  } finally {
    await broker.drain();
  }
}

/** Names and message counts, as one comparable text. */
function describeStreams({ farm }: RowContext): Promise<string> {
  return withStreams(farm, async (manager) => {
    const lines: string[] = [];
    for await (const info of manager.streams.list()) {
      const isKept = ["OUTCOMES", "KV_jobs", "QUEUE"].includes(info.config.name);
      if (isKept) lines.push(`${info.config.name} ${info.state.messages}`);
    }
    return lines.sort().join(", ");
  });
}
