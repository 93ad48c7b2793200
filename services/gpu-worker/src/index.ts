/** A worker: one device, one engine process, and the loops that feed it. */
export { type GpuWorkerConfig, readGpuWorker, readGpuWorkerConfig } from "./config.ts";
export { type GpuWorkerNeeds, type WiredGpuWorker, wireGpuWorker } from "./wire.ts";
