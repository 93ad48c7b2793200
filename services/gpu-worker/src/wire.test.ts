import { createHash } from "node:crypto";
import { type Broker, readOutcomeCopy } from "@zfarm/broker";
import {
  defaultPool,
  FailureBlame,
  FarmError,
  type Lease,
  limits,
  type Outcome,
  OutcomeKind,
  WorkerState,
} from "@zfarm/contract";
import { afterEach, describe, expect, test, vi } from "vitest";
import { createLease, workerUnderTest } from "../testing/scripted-leader.ts";
import { startWorker, type WorkerUnderTest } from "../testing/worker-harness.ts";

const running: WorkerUnderTest[] = [];
const patience = { timeout: 20_000, interval: 20 };

afterEach(async () => {
  await Promise.all(running.splice(0).map(({ app }) => app.stop()));
});

async function start(options: Parameters<typeof startWorker>[0] = {}): Promise<WorkerUnderTest> {
  const worker = await startWorker(options);
  running.push(worker);
  return worker;
}

async function waitForOutcomes(worker: WorkerUnderTest, count: number): Promise<Outcome[]> {
  await vi.waitUntil(async () => (await worker.outcomes()).length >= count, patience);
  return await worker.outcomes();
}

/** An outcome that someone else publishes. */
function endedByOthers(lease: Lease): Outcome {
  const { spec } = lease;
  return { spec, kind: OutcomeKind.CANCELED, worker: "", fence: 0n, attempt: 0 };
}

describe("a worker", () => {
  test("says at the start what its pool can do", async () => {
    const { broker } = await start();

    expect(await broker.pools.find(defaultPool)).toMatchObject({
      model: "stub",
      sizeMultiple: 32,
      pixelsMax: 262_144,
      stepsDefault: 4,
      widthDefault: 64,
    });
  });

  test("publishes one outcome per task and stores its picture", async () => {
    const worker = await start();

    worker.leader.grant([createLease(0), createLease(1, { seed: 8n })]);
    const [first, second] = await waitForOutcomes(worker, 2);

    const key = `default/${first?.spec?.job}/0/100.png`;
    const stored = (await worker.blobs.get(key)) ?? new Uint8Array();
    const sha256 = createHash("sha256").update(stored).digest("hex");
    const sizeBytes = BigInt(stored.byteLength);
    const image = { key, sha256, sizeBytes, mediaType: "image/png", modelDigest: "5".repeat(64) };
    const identity = { kind: OutcomeKind.SUCCEEDED, worker: workerUnderTest, attempt: 1 };
    expect(first).toMatchObject({ ...identity, fence: 100n, image });
    expect(second).toMatchObject({ ...identity, fence: 101n });
    expect(worker.leader.reports).toEqual([]);
  });

  test("copies its outcome beside the picture where the farm keeps manifests", async () => {
    const worker = await start({ durability: "manifest" });

    worker.leader.grant([createLease(0)]);
    const [outcome] = await waitForOutcomes(worker, 1);

    const [copyKey = "", pictureKey] = await worker.blobKeys();
    expect(copyKey).toBe(`default/${outcome?.spec?.job}/0/100.outcome`);
    expect(pictureKey).toBe(outcome?.image?.key);
    const bytes = await worker.blobs.get(copyKey);
    expect(bytes && readOutcomeCopy(bytes)).toEqual(outcome);
  });

  test("ends when the broker's state is lost: a new start finds what is restored", async () => {
    const lost = Promise.withResolvers<void>();
    const worker = await start({
      wrapBroker: (broker) => ({ ...broker, untilLost: () => lost.promise }),
    });

    lost.reject(new FarmError("STATE_LOST", "stream OUTCOMES is gone"));

    expect(await worker.app.done).toBe(1);
  });

  test("tells how long each stage took", async () => {
    const worker = await start();

    worker.leader.grant([createLease(0)]);
    const [outcome] = await waitForOutcomes(worker, 1);

    const { queue, denoise, upload } = outcome?.image?.timings ?? {};
    expect(queue?.seconds).toBeGreaterThanOrEqual(1n);
    expect(denoise?.nanos).toBeGreaterThan(0);
    expect(upload).toBeDefined();
  });

  test("publishes its start and every step once", async () => {
    const worker = await start();

    worker.leader.grant([createLease(0)]);
    await waitForOutcomes(worker, 1);

    const started = { $case: "started", value: { worker: workerUnderTest, attempt: 1 } };
    expect(worker.leader.progress[0]).toMatchObject({ index: 0, event: started });
    expect(worker.leader.stepsOf(0)).toEqual([1, 2, 3, 4]);
  });

  test("removes its picture when another outcome came first", async () => {
    const worker = await start();
    const lease = createLease(0);
    await worker.broker.outcomes.publish(endedByOthers(lease));

    worker.leader.grant([lease]);
    await vi.waitUntil(() => worker.metric("zfarm_duplicate_results_total"), patience);

    expect(await worker.outcomes()).toMatchObject([{ kind: OutcomeKind.CANCELED }]);
    expect(await worker.blobKeys()).toEqual([]);
  });

  test("keeps its picture when only the answer to its publish got lost", async () => {
    const worker = await start({ wrapBroker: loseFirstAnswer });

    worker.leader.grant([createLease(0)]);
    const succeeded = { outcome: "succeeded" };
    await vi.waitUntil(() => worker.metric("zfarm_images_total", succeeded), patience);

    const [outcome] = await worker.outcomes();
    expect(await worker.blobKeys()).toEqual([outcome?.image?.key]);
  });

  test("stops a canceled task between steps and publishes nothing for it", async () => {
    const worker = await start();
    const lease = createLease(0, { steps: 50 });
    worker.leader.grant([lease]);
    await vi.waitUntil(() => worker.leader.stepsOf(0).length > 0, patience);

    worker.leader.cancel(lease);
    const canceled = { outcome: "canceled" };
    await vi.waitUntil(() => worker.metric("zfarm_images_total", canceled), patience);
    worker.leader.grant([createLease(1)]);

    expect(await waitForOutcomes(worker, 1)).toMatchObject([{ spec: { index: 1 } }]);
    const stepsDone = worker.leader.stepsOf(0).length;
    expect(stepsDone).toBeLessThan(50);
    // Steps that ran while the cancel was on its way are no longer told of.
    const saved = await worker.metric("zfarm_worker_steps_saved_total");
    expect(saved).toBeGreaterThan(0);
    expect(saved).toBeLessThanOrEqual(50 - stepsDone);
    expect(worker.leader.reports).toEqual([]);
  });

  test("ignores a cancel for a lease it does not hold", async () => {
    const worker = await start();
    const lease = createLease(0, { steps: 20 });
    worker.leader.grant([lease]);
    await vi.waitUntil(() => worker.leader.stepsOf(0).length > 0, patience);

    worker.leader.cancel({ ...lease, fence: lease.fence - 1n });

    expect(await waitForOutcomes(worker, 1)).toMatchObject([{ fence: lease.fence }]);
  });

  test("reports a task that fails by itself and finishes the rest of its batch", async () => {
    const worker = await start();

    worker.leader.grant([createLease(0, { prompt: "word ".repeat(600) }), createLease(1)]);
    await waitForOutcomes(worker, 1);
    await vi.waitUntil(() => worker.leader.reports.length > 0, patience);

    const failure = { reason: "PROMPT_TOO_LONG", blame: FailureBlame.TASK };
    expect(worker.leader.reports).toMatchObject([{ task: { index: 0, fence: 100n }, failure }]);
    expect(await worker.outcomes()).toMatchObject([{ spec: { index: 1 } }]);
  });

  test("reports every task of a killed engine and goes on with a new one", async () => {
    const worker = await start();
    worker.leader.grant([createLease(0, { steps: 50 }), createLease(1, { steps: 50 })]);
    await vi.waitUntil(() => worker.leader.stepsOf(1).length > 0, patience);

    process.kill(worker.wired.engine.pid ?? 0, "SIGKILL");
    await vi.waitUntil(() => worker.leader.reports.length === 2, patience);
    await vi.waitUntil(() => worker.wired.engine.problem() === undefined, patience);
    worker.leader.grant([createLease(2)]);

    const failure = { reason: "ENGINE_CRASHED", blame: FailureBlame.WORKER };
    expect(worker.leader.reports).toMatchObject([{ failure }, { failure }]);
    expect(await waitForOutcomes(worker, 1)).toMatchObject([{ spec: { index: 2 } }]);
    expect(await worker.metric("zfarm_engine_restarts_total")).toBe(1);
  });

  test("hands back what it was granted while its engine was away", async () => {
    const worker = await start();
    await vi.waitUntil(() => worker.leader.asks.length > 0, patience);

    process.kill(worker.wired.engine.pid ?? 0, "SIGKILL");
    await vi.waitUntil(() => worker.wired.engine.problem() !== undefined, patience);
    worker.leader.grant([createLease(0)]);
    await vi.waitUntil(() => worker.leader.reports.length > 0, patience);

    expect(worker.leader.reports).toMatchObject([{ task: { index: 0 }, failure: undefined }]);
  });

  test("asks with its free slots and its tasks, and not at all when it is full", async () => {
    const worker = await start({ slots: 2 });
    worker.leader.grant([createLease(0, { prompt: "slow" })]);

    await vi.waitUntil(() => worker.leader.asks.length === 2, patience);
    worker.leader.grant([createLease(1, { prompt: "slow" })]);
    await vi.waitUntil(() => worker.leader.stepsOf(1).length > 0, patience);

    expect(worker.leader.asks).toMatchObject([
      { slotsFree: 2, running: [] },
      { slotsFree: 1, running: [{ index: 0, fence: 100n }] },
    ]);
  });

  test("does not ask in a storm where it is sent away at once", async () => {
    const worker = await start();
    await vi.waitUntil(() => worker.leader.asks.length === 1, patience);
    const sentAwayMs = performance.now();

    for (let times = 0; times < 3; times += 1) worker.leader.grant([]);
    await vi.waitUntil(() => worker.leader.asks.length >= 3, patience);

    // A request that was held for long is followed by the next one at once.
    expect(performance.now() - sentAwayMs).toBeGreaterThanOrEqual(limits.askAgainMs);
  });

  test("lists its leases and their steps in its heartbeat", async () => {
    const worker = await start();
    worker.leader.grant([createLease(0, { prompt: "slow", steps: 40 })]);

    const beats = (): readonly unknown[] =>
      worker.leader.beats.filter(({ running: [task] }) => (task?.step ?? 0) > 0);
    await vi.waitUntil(() => beats().length > 0, patience);

    const name = `workers/${workerUnderTest}`;
    const info = { name, pool: "default", device: "cpu", state: WorkerState.READY, slots: 4 };
    expect(beats()[0]).toMatchObject({
      worker: { ...info, running: 1, model: "stub" },
      running: [{ index: 0, fence: 100n }],
    });
  });

  test("goes on under the new fence when a task it holds is leased to it again", async () => {
    const worker = await start();
    worker.leader.grant([createLease(0, { steps: 50 })]);
    await vi.waitUntil(() => worker.leader.stepsOf(0).length > 0, patience);

    worker.leader.grant([createLease(0, { steps: 50, fence: 900n })]);

    expect(await waitForOutcomes(worker, 1)).toMatchObject([{ fence: 900n }]);
    expect(worker.leader.stepsOf(0)).toHaveLength(50);
  });

  test("begins anew when a task is leased again whose failure it is still reporting", async () => {
    const answered = Promise.withResolvers<void>();
    const worker = await start({ wrapBroker: answerReportsAfter(answered.promise) });
    worker.leader.grant([createLease(0, { prompt: "word ".repeat(600) })]);
    await vi.waitUntil(() => worker.leader.reports.length > 0, patience);

    worker.leader.grant([createLease(0, { fence: 900n })]);

    const succeeded = { kind: OutcomeKind.SUCCEEDED, fence: 900n };
    expect(await waitForOutcomes(worker, 1)).toMatchObject([succeeded]);
    answered.resolve();
  });

  test("obeys no leader older than the newest it heard", async () => {
    const worker = await start();
    const lease = createLease(0, { steps: 20 });
    worker.leader.grant([lease], 5n);
    await vi.waitUntil(() => worker.leader.stepsOf(0).length > 0, patience);

    worker.leader.cancel(lease, 4n);
    worker.leader.grant([createLease(1)], 4n);
    worker.leader.grant([createLease(2)], 5n);

    const outcomes = await waitForOutcomes(worker, 2);
    expect(outcomes.map(({ spec }) => spec?.index)).toEqual([0, 2]);
    expect(await worker.metric("zfarm_stale_epochs_total")).toBe(2);
  });

  test("asks anew when a newer leader makes itself known, once for each", async () => {
    const { leader } = await start();
    await vi.waitUntil(() => leader.asks.length === 1, patience);

    for (const epoch of [7n, 7n, 6n, 8n]) {
      leader.announce(epoch);
      await vi.waitUntil(() => (leader.asks.at(-1)?.epochSeen ?? 0n) >= epoch, patience);
    }

    expect(leader.asks.map(({ epochSeen }) => epochSeen)).toEqual([0n, 7n, 8n]);
  });

  test("finishes what runs and hands back what waits when the leader drains it", async () => {
    const worker = await start({ slots: 1 });
    worker.leader.grant([createLease(0, { steps: 50 }), createLease(1)]);
    await vi.waitUntil(() => worker.leader.stepsOf(0).length > 0, patience);

    worker.leader.drain();

    expect(await waitForOutcomes(worker, 1)).toMatchObject([{ spec: { index: 0 } }]);
    expect(worker.leader.reports).toMatchObject([{ task: { index: 1 }, failure: undefined }]);
    const isDraining = (): boolean =>
      worker.leader.beats.at(-1)?.worker?.state === WorkerState.DRAINING;
    await vi.waitUntil(isDraining, patience);
  });

  test("takes work again when the leader ends the drain it asked for", async () => {
    const worker = await start();
    const stateIs = (state: WorkerState) => (): boolean =>
      worker.leader.beats.at(-1)?.worker?.state === state;
    worker.leader.drain();
    await vi.waitUntil(stateIs(WorkerState.DRAINING), patience);

    worker.leader.resume();
    await vi.waitUntil(stateIs(WorkerState.READY), patience);
    worker.leader.grant([createLease(0)]);

    expect(await waitForOutcomes(worker, 1)).toMatchObject([{ spec: { index: 0 } }]);
  });

  test("says in the outcome what the picture cost the device", async () => {
    const worker = await start();
    worker.leader.grant([createLease(0), createLease(1)]);

    const outcomes = await waitForOutcomes(worker, 2);

    for (const { image } of outcomes) {
      const { device, denoise, textEncode, vaeDecode } = image?.timings ?? {};
      const ms = (duration = { seconds: 0n, nanos: 0 }): number => duration.nanos / 1e6;
      expect(ms(device)).toBeGreaterThan(0);
      expect(ms(device)).toBeLessThan(ms(denoise) + ms(textEncode) + ms(vaeDecode));
    }
  });

  test("finishes what fits when it is stopped, and ends well", async () => {
    const worker = await start();
    worker.leader.grant([createLease(0, { steps: 50 })]);
    await vi.waitUntil(() => worker.leader.stepsOf(0).length > 0, patience);

    await worker.app.stop();

    expect(await worker.app.done).toBe(0);
    expect(await worker.outcomes()).toMatchObject([{ spec: { index: 0 } }]);
    expect(worker.leader.beats.at(-1)).toMatchObject({ running: [] });
  });

  test("hands back at once what does not fit when it is stopped", async () => {
    const worker = await start();
    worker.leader.grant([createLease(0, { prompt: "slow", steps: 50 })]);
    await vi.waitUntil(() => worker.leader.stepsOf(0).length > 0, patience);

    await worker.app.stop();

    expect(await worker.app.done).toBe(0);
    expect(worker.leader.reports).toMatchObject([{ task: { index: 0 }, failure: undefined }]);
    expect(worker.leader.stepsOf(0).length).toBeLessThan(10);
  });

  test("hands back a grant that crosses its stop", async () => {
    const worker = await start();
    await vi.waitUntil(() => worker.leader.asks.length > 0, patience);

    const stopped = worker.app.stop();
    worker.leader.grant([createLease(0)]);
    await stopped;

    expect(worker.leader.reports).toMatchObject([{ task: { index: 0 }, failure: undefined }]);
    expect(await worker.app.done).toBe(0);
  });

  test("is not ready while its engine is away", async () => {
    const worker = await start();
    expect(await worker.app.problems()).toEqual([]);

    process.kill(worker.wired.engine.pid ?? 0, "SIGKILL");

    await vi.waitUntil(async () => (await worker.app.problems()).length > 0, patience);
    await vi.waitUntil(async () => (await worker.app.problems()).length === 0, patience);
  });
});

/** A broker whose leader hears of every failure, and whose answers come late. */
function answerReportsAfter(answered: Promise<void>): (broker: Broker) => Broker {
  return ({ link, ...broker }) => ({
    ...broker,
    link: {
      connectedSince: link.connectedSince,
      ask: (request, stop) => link.ask(request, stop),
      beat: (heartbeat) => link.beat(heartbeat),
      report: async (report) => {
        await link.report(report);
        await answered;
      },
      onControl: (worker, handle) => link.onControl(worker, handle),
      serveAsks: (handle) => link.serveAsks(handle),
      onBeat: (handle) => link.onBeat(handle),
      serveReports: (handle) => link.serveReports(handle),
      control: (worker, control) => link.control(worker, control),
    },
  });
}

/** A broker that stores the first outcome and then fails to say so. */
function loseFirstAnswer(broker: Broker): Broker {
  let hasLost = false;
  const { outcomes } = broker;
  const publish: typeof outcomes.publish = async (outcome) => {
    const result = await outcomes.publish(outcome);
    if (hasLost) return result;
    hasLost = true;
    throw new FarmError("BROKER_UNAVAILABLE", "no answer in time");
  };
  return {
    ...broker,
    outcomes: {
      publish,
      find: (id) => outcomes.find(id),
      list: (job) => outcomes.list(job),
      listProject: (project, max) => outcomes.listProject(project, max),
      lastRevision: () => outcomes.lastRevision(),
      follow: (options) => outcomes.follow(options),
    },
  };
}
