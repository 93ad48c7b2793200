/**
 * What a change of leaders costs a farm with manifests: the new leader looks in the object store
 * for outcomes that the broker may have lost. Real nats-server, MinIO and schedulers.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
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
  /** From the lease to the first request for work that is answered, by where copies are. */
  readonly rebuildMs: {
    readonly minio: number;
    readonly directory: number;
    readonly none: number;
  };
}

export async function benchTakeover(): Promise<{ readonly takeovers: TakeoverFigures[] }> {
  const takeovers: TakeoverFigures[] = [];
  for (const waiting of waitingJobs) {
    const [farm, minio] = [await openBenchFarm(), await startMinio()];
    const folder = await mkdtemp(join(tmpdir(), "zfarm-bench-blobs-"));
    try {
      const stores = [await openBucket(minio), await openFolder(folder)];
      await layJobs(farm, waiting);
      let objects = 0;
      for (const wanted of pictures) {
        const more = wanted - objects / 2;
        await Promise.all(stores.map((store) => layPictures(store, more)));
        objects += 2 * more;
        const rebuildMs = {
          minio: await lead(farm, settingsOf(minio)),
          directory: await lead(farm, { DURABILITY: "manifest", BLOBS_DIR: folder }),
          none: await lead(farm, {}),
        };
        takeovers.push({ waiting, objects, rebuildMs });
        process.stderr.write(`${JSON.stringify(takeovers.at(-1))}\n`);
      }
      for (const store of stores) await store.close();
    } finally {
      await farm.stop();
      await minio.stop();
      await rm(folder, { recursive: true, force: true });
    }
  }
  return { takeovers };
}

function openBucket({ endpoint, region, accessKey, secretKey }: S3Server): Promise<BlobStore> {
  const keys = { accessKey: new Secret(accessKey), secretKey: new Secret(secretKey) };
  const bucket = { bucket: "zfarm", region, publicEndpoint: undefined };
  return openBlobStore({ kind: "s3", endpoint, ...bucket, ...keys }, { clock: systemClock });
}

function openFolder(root: string): Promise<BlobStore> {
  return openBlobStore({ kind: "directory", root }, { clock: systemClock });
}

async function layJobs(farm: BenchFarm, count: number): Promise<void> {
  const feeder = await farm.connect("feeder");
  const tasks = Array.from({ length: count }, (_, index) => buildTask(index));
  await forEachBounded(tasks, parallel, async ({ spec, attempts }) => {
    if (spec === undefined) return;
    await feeder.queue.add({ spec: { ...spec, project: defaultProject }, attempts });
  });
}

async function layPictures(store: BlobStore, count: number): Promise<void> {
  const ids = Array.from({ length: count }, () => {
    return { project: defaultProject, job: createJobId(), index: 0 };
  });
  await forEachBounded(ids, parallel, async (id) => {
    await store.put(imageKey(id, 1n), new Uint8Array(8), "image/png");
    await store.put(outcomeCopyKey(id, 1n), new Uint8Array(8), "application/x-protobuf");
  });
}

function settingsOf({ endpoint, region, accessKey, secretKey }: S3Server): NodeJS.ProcessEnv {
  return {
    DURABILITY: "manifest",
    BLOBS_DIR: undefined,
    S3_ENDPOINT: endpoint,
    S3_REGION: region,
    S3_ACCESS_KEY: accessKey,
    S3_SECRET_KEY: secretKey,
  };
}

/** One leader, to the moment when it answers workers; it resigns at once. */
async function lead(farm: BenchFarm, settings: NodeJS.ProcessEnv): Promise<number> {
  const scheduler = farm.start("scheduler", settings);
  const { rebuild_ms: rebuildMs } = await scheduler.line("leading");
  await scheduler.stop();
  return Number(rebuildMs);
}
