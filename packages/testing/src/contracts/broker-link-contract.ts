import type { Broker } from "@zfarm/broker";
import {
  type Control,
  createJobId,
  defaultProject,
  type JobRef,
  limits,
  type Progress,
  type SchedulerReply,
  type WorkerId,
  type WorkGrant,
  type WorkRequest,
} from "@zfarm/contract";
import { describe, expect, test } from "vitest";
import {
  codeOf,
  type FarmUnderTest,
  never,
  type OpenFarm,
  settle,
  useFarm,
} from "./broker-farm.ts";
import { someJob, someTaskId, someWorkRequest } from "./broker-messages.ts";

const grant: WorkGrant = { epoch: 4n, leaseMs: 10_000, leases: [] };
const worker = { name: "workers/w1", pool: "default", state: 2, device: "cpu" } as const;
const heartbeat = {
  worker: { ...worker, model: "nano", modelDigest: "m1", slots: 1, running: 0 },
  running: [],
};
const report = { worker: "w1", task: { ...someTaskId(), fence: 1n, step: 0 } };

export function defineLinkContract(open: OpenFarm): void {
  const start = useFarm(open);
  const pair = async (): Promise<{ leader: Broker; other: Broker }> => connectPair(await start());

  describe("asking for work", () => {
    test("brings the request to the leader and its grant back", async () => {
      const { leader, other } = await pair();
      const seen: WorkRequest[] = [];
      leader.link.serveAsks((request, respond) => {
        seen.push(request);
        respond(grant);
      });
      await settle(leader);
      const request = someWorkRequest({ pool: "night", epochSeen: 3n });

      expect(await other.link.ask(request, never)).toEqual(grant);

      expect(seen).toEqual([request]);
    });

    test("holds the request until the leader answers, and takes its first answer", async () => {
      const { leader, other } = await pair();
      const asked = Promise.withResolvers<(grant: WorkGrant) => void>();
      leader.link.serveAsks((_request, respond) => asked.resolve(respond));
      await settle(leader);
      const answer = other.link.ask(someWorkRequest(), never);

      const respond = await asked.promise;
      respond(grant);
      respond({ ...grant, epoch: 5n });

      expect(await answer).toEqual(grant);
    });

    test("fails with NO_LEADER where nobody serves", async () => {
      const { other } = await pair();

      expect(await codeOf(other.link.ask(someWorkRequest(), never))).toBe("NO_LEADER");
    });

    test("fails with NO_LEADER where the leader never answers", async () => {
      const { leader, other } = await connectPair(await start({ askTimeoutMs: 200 }));
      leader.link.serveAsks(() => undefined);
      await settle(leader);

      expect(await codeOf(other.link.ask(someWorkRequest(), never))).toBe("NO_LEADER");
    });

    test("lets the asker go, and its late answer harms nobody", async () => {
      const { leader, other } = await pair();
      const asked = Promise.withResolvers<(grant: WorkGrant) => void>();
      leader.link.serveAsks((_request, respond) => asked.resolve(respond));
      await settle(leader);
      const stop = new AbortController();
      const answer = other.link.ask(someWorkRequest(), stop.signal);
      const respond = await asked.promise;

      stop.abort(new RangeError("drained"));

      await expect(answer).rejects.toThrow("drained");
      respond(grant);
      await settle(leader);
      await expect(other.link.ask(someWorkRequest(), stop.signal)).rejects.toThrow("drained");
    });

    test("drops an answer to an asker whose connection is gone", async () => {
      const farm = await start();
      const { leader, other } = await connectPair(farm);
      const responds: ((grant: WorkGrant) => void)[] = [];
      leader.link.serveAsks((_request, respond) => responds.push(respond));
      await settle(leader);
      const lost = codeOf(other.link.ask(someWorkRequest(), never));
      await expect.poll(() => responds.length).toBe(1);

      await other.drain();
      responds[0]?.(grant);

      expect(["BROKER_UNAVAILABLE", "NO_LEADER"]).toContain(await lost);
      expect(leader.problem()).toBeUndefined();
    });

    test("asks nobody who stopped serving", async () => {
      const { leader, other } = await pair();
      const unserve = leader.link.serveAsks((_request, respond) => respond(grant));
      unserve();
      unserve();
      await settle(leader);

      expect(await codeOf(other.link.ask(someWorkRequest(), never))).toBe("NO_LEADER");
    });
  });

  describe("news of workers", () => {
    test("delivers heartbeats to the leader", async () => {
      const { leader, other } = await pair();
      const beats: unknown[] = [];
      leader.link.onBeat((beat) => beats.push(beat));
      await settle(leader);

      other.link.beat(heartbeat);

      await expect.poll(() => beats).toHaveLength(1);
      expect(beats[0]).toMatchObject(heartbeat);
    });

    test("acknowledges a report once the leader has handled it", async () => {
      const { leader, other } = await pair();
      const reports: unknown[] = [];
      leader.link.serveReports((each) => reports.push(each));
      await settle(leader);

      await other.link.report(report);

      expect(reports).toMatchObject([report]);
    });

    test("does not take a report that no leader hears for delivered", async () => {
      const { other } = await pair();

      expect(await codeOf(other.link.report(report))).toBe("NO_LEADER");
    });

    test("brings commands to the one worker they are meant for", async () => {
      const { leader, other } = await pair();
      const mine: Control[] = [];
      const theirs: Control[] = [];
      other.link.onControl("w1" as WorkerId, (control) => mine.push(control));
      other.link.onControl("w2" as WorkerId, (control) => theirs.push(control));
      await settle(other);

      leader.link.control("w1" as WorkerId, drainCommand(1n));
      leader.link.control("w2" as WorkerId, drainCommand(2n));

      await expect.poll(() => [mine.length, theirs.length]).toEqual([1, 1]);
      expect([mine, theirs]).toEqual([[drainCommand(1n)], [drainCommand(2n)]]);
    });
  });

  describe("progress", () => {
    test("is seen by whoever had subscribed, for the job they named", async () => {
      const { leader, other } = await pair();
      const seen: Progress[] = [];
      await other.progress.subscribe(someJob("one"), (progress) => seen.push(progress));

      leader.progress.publish(step("two", 1));
      leader.progress.publish(step("one", 2));
      leader.progress.publish(step("one", 3));

      await expect.poll(() => seen).toHaveLength(2);
      expect(seen).toEqual([step("one", 2), step("one", 3)]);
    });

    test("tells every worker of a wish for previews", async () => {
      const { leader, other } = await pair();
      const wishedJob = { project: defaultProject, job: createJobId() };
      const heard: JobRef[] = [];
      leader.progress.onPreviewWish((job) => heard.push(job));
      const unsubscribe = other.progress.onPreviewWish((job) => heard.push(job));
      await Promise.all([settle(leader), settle(other)]);

      other.progress.wishPreviews(wishedJob);
      await expect.poll(() => heard).toEqual([wishedJob, wishedJob]);
      unsubscribe();
      await settle(other);
      other.progress.wishPreviews(wishedJob);

      await expect.poll(() => heard).toHaveLength(3);
    });

    test("ends with the subscription", async () => {
      const { leader, other } = await pair();
      const [early, late]: [Progress[], Progress[]] = [[], []];
      const unsubscribe = await other.progress.subscribe(someJob(), (each) => early.push(each));
      unsubscribe();
      await other.progress.subscribe(someJob(), (each) => late.push(each));

      leader.progress.publish(step("job", 1));

      await expect.poll(() => late).toHaveLength(1);
      expect(early).toEqual([]);
    });
  });

  describe("questions to the leader", () => {
    test("are answered by whoever serves them", async () => {
      const { leader, other } = await pair();
      const reply: SchedulerReply = {
        epoch: 2n,
        reply: { $case: "listWorkers", value: { workers: [] } },
      };
      leader.queries.serve((query) => {
        expect(query.query?.$case).toBe("listWorkers");
        return reply;
      });
      await settle(leader);

      const query = { query: { $case: "listWorkers", value: { pool: "" } } } as const;

      expect(await other.queries.ask(query)).toEqual(reply);
    });

    test("whose answer does not fit get none, and the leader goes on", async () => {
      const { leader, other } = await pair();
      const victim = { worker: "w".repeat(limits.messageBytesMax), workLeftSeconds: 0 };
      const victims = [{ ...victim, warmBytes: 0n, reason: "" }];
      leader.queries.serve(() => ({ epoch: 2n, reply: { $case: "victims", value: { victims } } }));
      await settle(leader);

      for (let times = 0; times < 2; times += 1) {
        const reply = await other.queries.ask({ query: undefined });
        expect(reply).toEqual({ epoch: 2n, reply: undefined });
      }
    });

    test("fail with NO_LEADER where nobody serves", async () => {
      const { other } = await pair();

      expect(await codeOf(other.queries.ask({ query: undefined }))).toBe("NO_LEADER");
    });
  });
}

async function connectPair(farm: FarmUnderTest): Promise<{ leader: Broker; other: Broker }> {
  return { leader: await farm.connect(), other: await farm.connect() };
}

function drainCommand(epoch: bigint): Control {
  return { epoch, command: { $case: "drain", value: {} } };
}

function step(job: string, index: number): Progress {
  const event = { $case: "step", value: { index, total: 8 } } as const;
  return { ...someJob(job), index: 0, event };
}
