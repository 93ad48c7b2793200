/** Every metric of every service, as their own code makes them, without a farm. */
import { createMemoryBlobStore } from "@zfarm/blobs";
import { Registry, showBuild, silentLog, systemClock } from "@zfarm/runtime";
import { measureBlobStore } from "../../packages/blobs/src/measured-blob-store.ts";
import { createBrokerMetrics } from "../../packages/broker/src/measured-log.ts";
import { AppStateMachine } from "../../packages/runtime/src/app-state.ts";
import { showReadiness } from "../../packages/runtime/src/readiness.ts";
import { createGatewayMetrics } from "../../services/gateway/src/metrics.ts";
import { createFailureMetrics } from "../../services/gpu-worker/src/failure-metrics.ts";
import { createMetrics as createWorkerMetrics } from "../../services/gpu-worker/src/metrics.ts";
import { createShelfMetrics } from "../../services/gpu-worker/src/shelf/shelf-metrics.ts";
import { measureStart } from "../../services/gpu-worker/src/start-metrics.ts";
import * as scaling from "../../services/scheduler/src/autoscale/autoscale-metrics.ts";
import * as cluster from "../../services/scheduler/src/autoscale/kubernetes/metrics.ts";
import { createSchedulerMetrics } from "../../services/scheduler/src/metrics.ts";
import { createStoreMetrics } from "../../services/scheduler/src/store-metrics.ts";

const makers: Readonly<Record<string, (registry: Registry) => unknown>> = {
  every: makeCommon,
  gateway: createGatewayMetrics,
  scheduler: (registry) => [
    createSchedulerMetrics(registry),
    createStoreMetrics(registry),
    scaling.createAutoscaleMetrics(registry),
    cluster.createKubernetesMetrics(registry),
  ],
  worker: (registry) => [
    createWorkerMetrics(registry),
    createFailureMetrics(registry),
    createShelfMetrics(registry),
    measureStart({ registry }).loaded({ phases: undefined, pid: process.pid }),
  ],
};

/** By service; `every` is what all of them have. */
export function farmRegistries(): Map<string, Registry> {
  const entries = Object.entries(makers).map(([service, make]): [string, Registry] => {
    const registry = new Registry();
    make(registry);
    return [service, registry];
  });
  return new Map(entries);
}

function makeCommon(registry: Registry): void {
  new AppStateMachine({ log: silentLog, clock: systemClock, registry });
  showReadiness(registry, () => Promise.resolve([]));
  showBuild(registry, "gateway");
  measureBlobStore(createMemoryBlobStore(), registry);
  createBrokerMetrics(registry);
}
