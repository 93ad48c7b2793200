import { defaultPool, limits, type PoolId, type WorkerId } from "@zfarm/contract";
import { createManualClock, type ManualClock } from "@zfarm/testing";
import { beforeEach, describe, expect, test } from "vitest";
import { LocalWorker, type WorkerProcess } from "./local-worker.ts";
import { LocalWorkers, type ScaleRequest } from "./local-workers.ts";

/** A process that is ready, and ends, when a test says so. */
class PlayedProcess implements WorkerProcess {
  isUp = false;
  readonly #onStart: () => void;
  readonly #ended = Promise.withResolvers<void>();

  constructor(onStart: () => void) {
    this.#onStart = onStart;
  }

  start(): void {
    this.#onStart();
  }

  /** It died, and its keeper starts it anew. */
  restart(): void {
    this.isUp = false;
    this.#onStart();
  }

  ready(): Promise<void> {
    return Promise.resolve();
  }

  isReady(): Promise<boolean> {
    return Promise.resolve(this.isUp);
  }

  stop(): Promise<void> {
    return this.#ended.promise;
  }

  end(): void {
    this.#ended.resolve();
  }
}

const names = (...numbers: number[]) => numbers.map((number) => `worker-${number}` as WorkerId);

let clock: ManualClock;
let played: Map<WorkerId, PlayedProcess>;
let gone: WorkerId[];
let workers: LocalWorkers;

beforeEach(() => {
  clock = createManualClock();
  played = new Map();
  gone = [];
  workers = new LocalWorkers({
    pool: defaultPool,
    create: (name) =>
      new LocalWorker({
        name,
        clock,
        launch: (onStart) => {
          const process = new PlayedProcess(onStart);
          played.set(name, process);
          return process;
        },
      }),
    onGone: (name) => gone.push(name),
  });
});

function begin(count: number): void {
  workers.start(count);
  workers.open();
}

function scale(request: Partial<ScaleRequest>) {
  const all = { kind: "scale", pool: defaultPool, desired: 0, target: 0, victims: [] } as const;
  return workers.scale({ ...all, ...request });
}

function members() {
  return workers.observe()[0]?.members ?? [];
}

const phases = () => members().map(({ phase }) => phase);

async function end(name: WorkerId | undefined): Promise<void> {
  played.get(name ?? ("" as WorkerId))?.end();
  await clock.advance(limits.localProbeMs);
}

describe("what is seen of the workers", () => {
  test("nothing while the farm starts: nobody may change their number yet", () => {
    workers.start(1);

    expect(workers.observe()).toEqual([]);
    expect(scale({ desired: 2, target: 1 })).toMatchObject({ kind: "refused" });
  });

  test("when each was asked for, and since when it is ready, not before it is", async () => {
    begin(1);
    const createdAt = clock.now();
    await clock.advance(1_000);
    expect(members()).toEqual([{ worker: "worker-1", phase: "starting", createdAt }]);

    played.get("worker-1" as WorkerId)!.isUp = true;
    await clock.advance(1_000);

    expect(members()).toMatchObject([{ phase: "ready", createdAt }]);
    const { readyAt = 0 } = members()[0] ?? {};
    expect(readyAt).toBeGreaterThan(createdAt + 1_000);
    expect(readyAt).toBeLessThanOrEqual(createdAt + 1_100);
  });

  test("one that was started anew is ready only when it is so again", async () => {
    begin(1);
    const process = played.get("worker-1" as WorkerId);
    process!.isUp = true;
    await clock.advance(100);

    process?.restart();

    expect(members()).toEqual([expect.objectContaining({ phase: "starting" })]);
    expect(members()[0]).not.toHaveProperty("readyAt");
  });

  test("one that ends again and again before it is ready, as that", () => {
    begin(1);
    for (let start = 1; start < limits.localStartsMax; start += 1) {
      expect(phases()).toEqual(["starting"]);
      played.get("worker-1" as WorkerId)?.restart();
    }

    expect(phases()).toEqual(["crashing"]);
  });
});

describe("a change of their number", () => {
  test("takes the victims and nobody else, and they are there until they have ended", async () => {
    begin(3);

    const reply = scale({ desired: 1, target: 3, victims: names(1, 3) });

    expect(reply).toEqual({ kind: "scaled", result: "applied" });
    expect(phases()).toEqual(["stopping", "starting", "stopping"]);
    await end("worker-3" as WorkerId);
    expect(members().map(({ worker }) => worker)).toEqual(names(1, 2));
    expect(gone).toEqual(names(3));
  });

  test("gives a name again only after its worker was seen to be gone", async () => {
    begin(1);
    scale({ desired: 0, target: 1, victims: names(1) });
    await end("worker-1" as WorkerId);

    scale({ desired: 1, target: 0 });
    expect(members().map(({ worker }) => worker)).toEqual(names(2));
    scale({ desired: 2, target: 1 });

    expect(members().map(({ worker }) => worker)).toEqual(names(2, 1));
  });

  test("starts others while those that go are still there", () => {
    begin(1);
    scale({ desired: 0, target: 1, victims: names(1) });

    scale({ desired: 2, target: 0 });

    expect(members().map(({ worker }) => worker)).toEqual(names(1, 2, 3));
    expect(workers.observe()[0]?.target).toBe(2);
  });

  test.each([
    ["another target", { desired: 1, target: 3, victims: names(1, 2) }],
    ["a victim that is not there", { desired: 1, target: 2, victims: names(7) }],
    ["fewer victims than are to go", { desired: 0, target: 2, victims: names(1) }],
    ["more victims than are to go", { desired: 1, target: 2, victims: names(1, 2) }],
    ["a victim where none is to go", { desired: 3, target: 2, victims: names(1) }],
    ["one victim twice", { desired: 0, target: 2, victims: names(1, 1) }],
  ])("is a conflict and does nothing with %s", (_, request) => {
    begin(2);

    expect(scale(request)).toEqual({ kind: "scaled", result: "conflict" });
    expect(phases()).toEqual(["starting", "starting"]);
  });

  test("is refused for another pool, and beyond what one machine may run", () => {
    begin(1);

    expect(scale({ pool: "other" as PoolId, desired: 2, target: 1 })).toEqual({
      kind: "refused",
      reason: "there is no pool other here",
    });
    expect(scale({ desired: 65, target: 1 })).toEqual({
      kind: "refused",
      reason: "at most 64 processes may run, those that stop among them",
    });
    expect(phases()).toEqual(["starting"]);
  });

  test("is refused once the farm stops, which ends when the last one has", async () => {
    begin(2);
    scale({ desired: 1, target: 2, victims: names(1) });
    const stopped = workers.stop();

    expect(scale({ desired: 3, target: 1 })).toMatchObject({ reason: "the farm is stopping" });
    for (const process of played.values()) process.end();
    await stopped;

    expect(played.size).toBe(2);
  });
});
