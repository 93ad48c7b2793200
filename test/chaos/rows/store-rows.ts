/** O, W10: a real S3 that is down, slow, moody, or loses its answers. */
import {
  type FaultProxy,
  type S3Server,
  startFaultProxy,
  startMinio,
  type Toxics,
} from "@zfarm/testing";
import { type HttpFaultProxy, startHttpFaultProxy } from "../net/http-fault-proxy.ts";
import { createRandom } from "../random.ts";
import type { Ground, Row, RowGroup } from "./row.ts";

interface StoreGround extends Ground {
  readonly minio: S3Server;
  /** Answers some requests itself; every worker's way leads through it. */
  readonly http: HttpFaultProxy;
  /** The way of each worker to the store. */
  readonly ways: ReadonlyMap<string, FaultProxy>;
}

const workers = 3;
const downMs = 20_000;
/** Inside the body of a picture: headers are some 700 bytes, the picture 2,056. */
const insideBody = 1_600;
const toxicMs = 4_000;

const down: Row<StoreGround> = {
  id: "O1",
  promise: "the store down for 20 s under load: nothing lost, no attempt spent, workers live",
  run: async (context, { minio }) => {
    context.undo(() => minio.restart());
    const { job, ended } = await context.submit({ count: 12 });
    await context.begun(job, 3);
    context.farm.fault("kill-store", "minio");
    await minio.kill();
    await context.wait(downMs);
    await minio.restart();
    await ended;
    await context.checkAttempts(job, 1);
    const starts = context.farm.workers.map((each) => each.starts);
    context.check(
      starts.every((count) => count === 1),
      "no worker has died",
    );
  },
};

const moody: Row<StoreGround> = {
  id: "O2",
  promise: "three of ten requests answered 503 or 500: all pictures arrive",
  run: async (context, { http }) => {
    context.undo(() => http.set({ share: 0, statuses: [503] }));
    const before = http.failed;
    context.farm.fault("store-errors", "30 %");
    http.set({ share: 0.3, statuses: [503, 500] });
    await context.load(40, { renderShare: 0 });
    context.note("failed", http.failed - before);
    context.check(http.failed - before >= 5, "the fault was felt");
  },
};

const trickling: Row<StoreGround> = {
  id: "O3",
  promise: "a store that takes 400 bytes a second: slower, and no lease is lost",
  run: async (context, { ways }) => {
    context.undo(() => setAll(ways, {}));
    context.farm.fault("slow-store", "400 B/s");
    setAll(ways, { bytesPerSecond: 400 });
    const { job, ended } = await context.submit({ count: 9 });
    await ended;
    context.check(context.repeats(job) === 0, "every task is drawn once");
  },
};

const cutMidPut: Row<StoreGround> = {
  id: "O4",
  promise: "uploads cut, then corrupted, in the middle: no outcome points to a broken picture",
  run: async (context, { ways }) => {
    context.undo(() => setAll(ways, {}));
    context.farm.fault("cut-upload", "all");
    setAll(ways, { cutAfter: { direction: "up", bytes: insideBody } });
    const cut = await context.submit({ count: 6 });
    await context.wait(toxicMs);
    await context.until("uploads are cut", 30_000, () => sum(ways, (way) => way.cuts) >= 3);
    setAll(ways, {});
    await cut.ended;
    context.farm.fault("corrupt-upload", "all");
    for (const way of ways.values()) way.resetAll();
    setAll(ways, { corruptAt: { direction: "up", byte: insideBody } });
    const corrupted = await context.submit({ count: 6 });
    await corrupted.ended;
    context.note(
      "corrupted",
      sum(ways, (way) => way.corrupted),
    );
    context.check(sum(ways, (way) => way.corrupted) >= 1, "an upload was corrupted");
  },
};

const lostAnswers: Row<StoreGround> = {
  id: "O5",
  promise: "uploads that succeed and whose answers get lost: one outcome, and the right bytes",
  run: async (context, { ways }) => {
    context.undo(() => setAll(ways, {}));
    context.farm.fault("lose-answers", "all");
    const before = sum(ways, (way) => way.cuts);
    for (const way of ways.values()) way.resetAll();
    setAll(ways, { cutAfter: { direction: "down", bytes: 1 } });
    const { job, ended } = await context.submit({ count: 6 });
    await context.begun(job);
    await context.wait(toxicMs);
    const lost = () => sum(ways, (way) => way.cuts) - before >= 3;
    await context.until("answers are lost", 30_000, lost);
    setAll(ways, {});
    await ended;
    await context.checkAttempts(job, 1);
  },
};

const oneCutOff: Row<StoreGround> = {
  id: "W10",
  promise: "one worker cut off from the store alone: its task ends elsewhere, no crash is charged",
  run: async (context, { ways }) => {
    const way = ways.get("worker-1");
    context.undo(() => way?.set({}));
    way?.set({ refuse: true });
    way?.resetAll();
    context.farm.fault("store-refuses", "worker-1");
    const { job, ended } = await context.submit({ count: 3 });
    await context.until("the worker that is cut off has begun", 30_000, () => {
      return context.begins(job).some(({ worker }) => worker === "worker-1");
    });
    const startedMs = context.farm.history.now();
    await ended;
    context.note("endedMs", context.farm.history.now() - startedMs);
    context.check(context.worker("worker-1").starts === 1, "it has not died");
    await context.checkAttempts(job, 1);
  },
};

export const storeGroup: RowGroup<StoreGround> = {
  name: "store",
  needs: ["minio"],
  open: openGround,
  rows: [down, moody, trickling, cutMidPut, lostAnswers, oneCutOff],
};

async function openGround(seed: string): Promise<StoreGround> {
  const minio = await startMinio();
  const random = createRandom(seed).fork("store");
  const http = await startHttpFaultProxy(Number(new URL(minio.endpoint).port), () => random.next());
  const ways = new Map<string, FaultProxy>();
  for (let count = 1; count <= workers; count += 1) {
    ways.set(`worker-${count}`, await startFaultProxy({ targetPort: http.port }));
  }
  const change = (name: string) => {
    const way = ways.get(name);
    return way === undefined ? {} : { env: { S3_ENDPOINT: `http://127.0.0.1:${way.port}` } };
  };
  return {
    minio,
    http,
    ways,
    farm: { workers, s3: minio, change },
    close: async () => {
      for (const way of ways.values()) await way.stop();
      await http.stop();
      await minio.stop();
    },
  };
}

function setAll(ways: ReadonlyMap<string, FaultProxy>, toxics: Toxics): void {
  for (const way of ways.values()) way.set(toxics);
}

function sum(ways: ReadonlyMap<string, FaultProxy>, value: (way: FaultProxy) => number): number {
  return [...ways.values()].reduce((total, way) => total + value(way), 0);
}
