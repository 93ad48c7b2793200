/** How late a worker's own event loop is while its engine renders: a worker in this process. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { createMemoryBlobStore } from "@zfarm/blobs";
import { createMemoryFarm } from "@zfarm/broker";
import { defaultPool, defaultProject } from "@zfarm/contract";
import { silentLog, startApp } from "@zfarm/runtime";
import { wireGpuWorker } from "../../../services/gpu-worker/src/index.ts";
import {
  createLease,
  job,
  ScriptedLeader,
  workerUnderTest,
} from "../../../services/gpu-worker/testing/scripted-leader.ts";

export interface LoopLag {
  readonly pictures: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

export async function measureLoopLag(modelDir: string, pictures: number): Promise<LoopLag> {
  const farm = createMemoryFarm();
  const broker = farm.connect();
  const leader = await ScriptedLeader.start(broker);
  const folder = await mkdtemp(join(tmpdir(), "zfarm-bench-"));
  const config = {
    worker: workerUnderTest,
    pool: defaultPool,
    device: "cpu",
    threads: undefined,
    sideThreads: undefined,
    slots: 4,
    node: "bench",
    modelDir,
    durability: "stream",
    drainGraceMs: 1_000,
    loras: { folder, diskBytes: 0, ramBytes: 0, ranks: 0 },
  } as const;
  const app = startApp({
    name: "gpu-worker",
    log: silentLog,
    wire: async (parts) => {
      const needs = { broker: farm.connect(), blobs: createMemoryBlobStore() };
      await wireGpuWorker(parts, config, needs);
    },
  });
  await app.ready;
  const lag = monitorEventLoopDelay({ resolution: 1 });
  lag.enable();
  for (let index = 0; index < pictures; index += 4) {
    const leases = [0, 1, 2, 3].map((at) => createLease(index + at, { width: 256, height: 256 }));
    leader.grant(leases);
  }
  const ended = (): Promise<unknown[]> => broker.outcomes.list({ project: defaultProject, job });
  while ((await ended()).length < pictures) await sleep(50);
  lag.disable();
  await app.stop();
  await rm(folder, { recursive: true });
  const [p50Ms, p99Ms, maxMs] = [lag.percentile(50), lag.percentile(99), lag.max].map(toMs);
  return { pictures, p50Ms: p50Ms ?? 0, p99Ms: p99Ms ?? 0, maxMs: maxMs ?? 0 };
}

function toMs(nanoseconds: number): number {
  return Math.round(nanoseconds / 1e4) / 100;
}
