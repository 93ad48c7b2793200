import type { Broker } from "@zfarm/broker";
import {
  type AttemptReport,
  type Control,
  type Heartbeat,
  type JobRef,
  type ProjectId,
  type QueuedTask,
  type SchedulerReply,
  shardOf,
  type TaskSpec,
  type WorkerId,
  type WorkRequest,
} from "@zfarm/contract";
import { describe, expect, test } from "vitest";
import { codeOf, FollowReader, never, type OpenFarm, settle, useFarm } from "./broker-farm.ts";
import { someJob, someOutcome, someSpec, someWorkRequest } from "./broker-messages.ts";

const shards = 2;

/** A project of each shard, by shard. */
const projects = Array.from({ length: shards }, (_, shard) => {
  const names = Array.from({ length: 20 }, (_empty, index) => `p${index}` as ProjectId);
  return names.find((name) => shardOf(name, shards) === shard) ?? ("none" as ProjectId);
});
const jobIn = (shard: number): JobRef => ({
  ...someJob(),
  project: projects[shard] ?? someJob().project,
});
const specIn = (shard: number): TaskSpec => someSpec(jobIn(shard));
const taskIn = (shard: number): QueuedTask => ({ spec: specIn(shard), attempts: 0 });
const leasedIn = (shard: number) => ({ ...jobIn(shard), index: 0, fence: 1n, step: 0 });

export function defineShardContract(open: OpenFarm): void {
  const start = useFarm(open);

  describe("a farm of two shards", () => {
    async function connect(): Promise<{ leaders: Broker[]; other: Broker }> {
      const farm = await start({}, shards);
      const broker = await farm.connect();
      return { leaders: [broker.shard(0), broker.shard(1)], other: await farm.connect() };
    }

    test("gives each leader the tasks of its own projects, and everybody all", async () => {
      const { leaders, other } = await connect();
      for (const shard of [0, 1, 1]) {
        await other.queue.add({ ...taskIn(shard), attempts: shard });
      }

      const seen = leaders.map(({ queue }) =>
        new FollowReader(queue.follow(never)).untilCaughtUp(),
      );
      const shown = (await Promise.all(seen)).map((all) =>
        all.map(({ task }) => task.spec?.project),
      );

      expect(shown).toEqual(projects.map((project) => [project]));
      expect(await new FollowReader(other.queue.follow(never)).untilCaughtUp()).toHaveLength(2);
      const found = await leaders[0]?.queue.find("default" as never, { ...jobIn(1), index: 0 });
      expect(found?.task.spec).toEqual(specIn(1));
    });

    test("lets a leader clear away what is old in its own shard alone", async () => {
      const { leaders, other } = await connect();
      for (const shard of [0, 1]) await other.queue.add(taskIn(shard));

      await leaders[0]?.queue.removeBefore(1_000n);

      const left = await new FollowReader(other.queue.follow(never)).untilCaughtUp();
      expect(left.map(({ task }) => task.spec?.project)).toEqual([projects[1]]);
    });

    test("tells each leader the outcomes and wishes of its own projects", async () => {
      const { leaders, other } = await connect();
      for (const shard of [0, 1]) {
        await other.outcomes.publish({ ...someOutcome(), spec: specIn(shard) });
        const wish = { scheduling: undefined, paused: true, approved: false };
        await other.controls.put({ ...jobIn(shard), ...wish }, 0n);
      }

      for (const [shard, leader] of leaders.entries()) {
        const outcomes = leader.outcomes.follow({ after: 0n, stop: never });
        const ended = await new FollowReader(outcomes).untilCaughtUp();
        expect(ended.map(({ outcome }) => outcome.spec?.project)).toEqual([projects[shard]]);
        const wishes = await new FollowReader(leader.controls.follow(never)).untilCaughtUp();
        expect(wishes.map(({ control }) => control.project)).toEqual([projects[shard]]);
      }
    });

    test("has a leader for each shard at a time, with epochs of its own", async () => {
      const { leaders, other } = await connect();

      const terms = await Promise.all(
        leaders.map(({ leadership }) => leadership.acquire("one", never)),
      );

      const stop = new AbortController();
      const rival = other.shard(1).leadership.acquire("two", stop.signal);
      await terms[0]?.resign();
      const again = await other.shard(0).leadership.acquire("two", never);
      expect(again.epoch > (terms[0]?.epoch ?? 0n)).toBe(true);
      expect(terms[1]?.lost.aborted).toBe(false);
      stop.abort(new RangeError("stopped"));
      await expect(rival).rejects.toThrow("stopped");
    });

    test("brings requests and reports to the leader that they are for", async () => {
      const { leaders, other } = await connect();
      const asked: [number, WorkRequest][] = [];
      const reported: [number, AttemptReport][] = [];
      for (const [shard, { link }] of leaders.entries()) {
        link.serveAsks((request, respond) => {
          asked.push([shard, request]);
          respond({ epoch: BigInt(shard), leaseMs: 1, leases: [] });
        });
        link.serveReports((report) => reported.push([shard, report]));
        await settle(leaders[shard] ?? other);
      }
      const running = [leasedIn(0), leasedIn(1)];

      const answers = [
        await other.link.ask(someWorkRequest({ running }), never, 1),
        await other.link.ask(someWorkRequest({ running }), never, 0),
      ];
      await other.link.report({ worker: "w1", task: leasedIn(1) });

      expect(answers.map(({ epoch }) => epoch)).toEqual([1n, 0n]);
      // Each is told of what it gave out, and not of what it would take for lost or foreign.
      const told = asked.map(([shard, request]) => [shard, request.running]);
      expect(told).toEqual([
        [1, [leasedIn(1)]],
        [0, [leasedIn(0)]],
      ]);
      expect(reported.map(([shard]) => shard)).toEqual([1]);
    });

    test("lets every leader hear every worker, and of each only what is its own", async () => {
      const { leaders, other } = await connect();
      const heard: Heartbeat[][] = leaders.map(() => []);
      for (const [shard, { link }] of leaders.entries()) {
        link.onBeat((heartbeat) => heard[shard]?.push(heartbeat));
        await settle(leaders[shard] ?? other);
      }
      const info = {
        pool: "default",
        state: 2,
        device: "cpu",
        model: "m",
        modelDigest: "d",
      } as const;
      const worker = { name: "workers/w1", ...info, slots: 2, running: 2 };

      other.link.beat({ worker, running: [leasedIn(0), leasedIn(1)] });

      await expect.poll(() => heard.map((beats) => beats.length)).toEqual([1, 1]);
      expect(heard.map(([beat]) => beat?.running)).toEqual([[leasedIn(0)], [leasedIn(1)]]);
      expect(heard[1]?.[0]?.worker).toMatchObject({ name: "workers/w1", running: 2 });
    });

    test("says with each command whose leader it is from", async () => {
      const { leaders, other } = await connect();
      const commands: Control[] = [];
      other.link.onControl("w1" as WorkerId, (control) => commands.push(control));
      await settle(other);

      const command = { $case: "drain", value: {} } as const;
      for (const { link } of leaders) link.control("w1" as WorkerId, { epoch: 5n, command });

      await expect.poll(() => new Set(commands.map(({ shard }) => shard))).toEqual(new Set([0, 1]));
    });

    test("asks of a project its leader, and of the fleet all of them", async () => {
      const { leaders, other } = await connect();
      for (const [shard, leader] of leaders.entries()) {
        leader.queries.serve(({ query }) => answer(shard, query?.$case));
        await settle(leader);
      }

      const query = { $case: "jobStatus", value: { ...jobIn(1) } } as const;
      const job = await other.queries.ask({ query });
      const fleet = await other.queries.ask({
        query: { $case: "listWorkers", value: { pool: "" } },
      });
      const victims = await other.queries.ask({
        query: { $case: "victims", value: { pool: "default", count: 9 } },
      });

      expect(job.epoch).toBe(11n);
      const workers = fleet.reply?.$case === "listWorkers" ? fleet.reply.value.workers : [];
      expect(workers.map(({ name }) => name)).toEqual([
        "workers/both",
        "workers/only-0",
        "workers/only-1",
      ]);
      expect(victims.reply).toMatchObject({
        value: { victims: [{ worker: "workers/both", workLeftSeconds: 3, reason: "least-work" }] },
      });
    });

    test("lists the fleet page by page, each worker once", async () => {
      const { leaders, other } = await connect();
      for (const [shard, leader] of leaders.entries()) {
        leader.queries.serve(({ query }) => {
          const { pageSize = 9, pageToken = "" } =
            query?.$case === "listWorkers" ? query.value : {};
          const known = [worker("both"), worker(`only-${shard}`)];
          const found = known.filter(({ name }) => name > pageToken);
          const workers = found.slice(0, pageSize);
          const nextPageToken = found.length > pageSize ? workers.at(-1)?.name : undefined;
          const value = { workers, nextPageToken };
          return { epoch: 1n, reply: { $case: "listWorkers", value } };
        });
        await settle(leader);
      }
      const seen: string[] = [];

      for (let pageToken: string | undefined = ""; pageToken !== undefined; ) {
        const value = { pool: "", pageSize: 1, pageToken };
        const { reply } = await other.queries.ask({ query: { $case: "listWorkers", value } });
        const page = reply?.$case === "listWorkers" ? reply.value : { workers: [] };
        seen.push(...page.workers.map(({ name }) => name));
        pageToken = page.nextPageToken;
      }

      expect(seen).toEqual(["workers/both", "workers/only-0", "workers/only-1"]);
    });

    test("shows no fleet in part", async () => {
      const { leaders, other } = await connect();
      leaders[0]?.queries.serve(({ query }) => answer(0, query?.$case));
      await settle(leaders[0] ?? other);

      const asking = other.queries.ask({ query: { $case: "listWorkers", value: { pool: "" } } });

      expect(await codeOf(asking)).toBe("NO_LEADER");
    });

    test("is restored when every shard is", async () => {
      const { leaders, other } = await connect();
      const states: boolean[] = [];
      for (const leader of leaders) {
        await leader.farm.markRestored(new Date(1_000));
        states.push(await other.farm.isRestored());
      }

      expect(states).toEqual([false, true]);
    });
  });
}

/** Two leaders that both know one worker, and each another one. */
function answer(shard: number, kind: string | undefined): SchedulerReply {
  const epoch = BigInt(10 + shard);
  switch (kind) {
    case "listWorkers": {
      const workers = [worker(`only-${shard}`), worker("both")];
      return { epoch, reply: { $case: "listWorkers", value: { workers } } };
    }
    case "victims": {
      const reason = shard === 0 ? "idle" : "least-work";
      const victim = { worker: "workers/both", workLeftSeconds: 3 * shard, warmBytes: 0n, reason };
      // Busy for the other leader, which does not name it.
      const busy = { ...victim, worker: `workers/only-${shard}`, workLeftSeconds: 0 };
      return { epoch, reply: { $case: "victims", value: { victims: [busy, victim] } } };
    }
    default:
      return { epoch, reply: { $case: "jobStatus", value: { tasks: [] } } };
  }
}

function worker(name: string) {
  return {
    name: `workers/${name}`,
    pool: "default",
    state: 2 as const,
    device: "cpu",
    model: "m",
    modelDigest: "d",
    slots: 1,
    running: 0,
  };
}
