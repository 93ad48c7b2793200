/**
 * What a change of leaders costs a farm with manifests: the new leader looks in the object store
 * for outcomes that the broker may have lost. Real nats-server, MinIO and scheduler processes.
 */
import { type BlobStore, openBlobStore } from "@zfarm/blobs";
import { createJobId, defaultProject, imageKey, outcomeCopyKey } from "@zfarm/contract";
import { forEachBounded, Secret, systemClock } from "@zfarm/runtime";
import { type S3Server, startMinio } from "@zfarm/testing";
import { type BenchFarm, openBenchFarm } from "./bench-farm.ts";
import { buildTask } from "./scheduler-path.ts";

/** One-task jobs, the most that there is to look at, all of one project. */
const waitingJobs = [1_000, 10_000] as const;
/** Pictures that the project has beside them, each with the copy of its outcome. */
const pictures = [0, 20_000] as const;
const parallel = 64;

export interface TakeoverFigures {
  readonly waiting: number;
  readonly objects: number;
  /** From the lease to the first request for work that is answered, with and without copies. */
  readonly rebuildMs: { readonly manifest: number; readonly stream: number };
}

export async function benchTakeover(): Promise<{ readonly takeovers: TakeoverFigures[] }> {
  const takeovers: TakeoverFigures[] = [];
  for (const waiting of waitingJobs) {
    const [farm, minio] = [await openBenchFarm(), await startMinio()];
    try {
      const store = await openStore(minio);
      await layJobs(farm, waiting);
      let objects = 0;
      for (const wanted of pictures) {
        objects += await layPictures(store, wanted - objects / 2);
        const rebuildMs = { manifest: await lead(farm, minio), stream: await lead(farm) };
        takeovers.push({ waiting, objects, rebuildMs });
        process.stderr.write(`${JSON.stringify(takeovers.at(-1))}\n`);
      }
      await store.close();
    } finally {
      await farm.stop();
      await minio.stop();
    }
  }
  return { takeovers };
}

function openStore({ endpoint, region, accessKey, secretKey }: S3Server): Promise<BlobStore> {
  const keys = { accessKey: new Secret(accessKey), secretKey: new Secret(secretKey) };
  const bucket = { bucket: "zfarm", region, publicEndpoint: undefined };
  return openBlobStore({ kind: "s3", endpoint, ...bucket, ...keys }, { clock: systemClock });
}

async function layJobs(farm: BenchFarm, count: number): Promise<void> {
  const feeder = await farm.connect("feeder");
  const tasks = Array.from({ length: count }, (_, index) => buildTask(index));
  await forEachBounded(tasks, parallel, async ({ spec, attempts }) => {
    if (spec === undefined) return;
    await feeder.queue.add({ spec: { ...spec, project: defaultProject }, attempts });
  });
}

async function layPictures(store: BlobStore, count: number): Promise<number> {
  const ids = Array.from({ length: count }, () => {
    return { project: defaultProject, job: createJobId(), index: 0 };
  });
  await forEachBounded(ids, parallel, async (id) => {
    await store.put(imageKey(id, 1n), new Uint8Array(8), "image/png");
    await store.put(outcomeCopyKey(id, 1n), new Uint8Array(8), "application/x-protobuf");
  });
  return 2 * count;
}

/** One leader, to the moment when it answers workers; it resigns at once. */
async function lead(farm: BenchFarm, minio?: S3Server): Promise<number> {
  const s3 = minio && {
    DURABILITY: "manifest",
    BLOBS_DIR: undefined,
    S3_ENDPOINT: minio.endpoint,
    S3_REGION: minio.region,
    S3_ACCESS_KEY: minio.accessKey,
    S3_SECRET_KEY: minio.secretKey,
  };
  const scheduler = farm.start("scheduler", s3);
  const { rebuild_ms: rebuildMs } = await scheduler.line("leading");
  await scheduler.stop();
  return Number(rebuildMs);
}
