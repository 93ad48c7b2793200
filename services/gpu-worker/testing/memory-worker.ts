/** A worker process over the real engine and the memory broker: for tests of its start and end. */
import { createMemoryBlobStore } from "@zfarm/blobs";
import { createMemoryBroker } from "@zfarm/broker";
import { runMain } from "@zfarm/runtime";
import { readGpuWorkerConfig, wireGpuWorker } from "../src/index.ts";

await runMain("gpu-worker", readGpuWorkerConfig, async (app, config) => {
  const needs = { broker: createMemoryBroker(), blobs: createMemoryBlobStore() };
  await wireGpuWorker(app, config, needs);
});
