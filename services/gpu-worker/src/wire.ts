/** Puts a worker together: engine first, then the loops that feed it. */
import type { BlobStore } from "@zfarm/blobs";
import { type Broker, copyOutcomes } from "@zfarm/broker";
import { loraDeviceBytesOf, loraMemoryBytesOf, type PoolRecord } from "@zfarm/contract";
import type { App } from "@zfarm/runtime";
import { AttemptRunner } from "./attempt-runner.ts";
import { AttemptTraces } from "./attempt-traces.ts";
import type { GpuWorkerConfig } from "./config.ts";
import { obeyControl } from "./control.ts";
import type { EngineInfo } from "./engine/protocol.ts";
import { EngineProcess } from "./engine-process.ts";
import { createFailureMetrics } from "./failure-metrics.ts";
import { runHeartbeat } from "./heartbeat.ts";
import { LatentStore } from "./latent-store.ts";
import { createMetrics, type WorkerMetrics } from "./metrics.ts";
import { PreviewWishes } from "./preview-wishes.ts";
import { retry } from "./retry.ts";
import { openShelf } from "./shelf/open-shelf.ts";
import { measureStart } from "./start-metrics.ts";
import { runTaskLoop } from "./task-loop.ts";
import { WorkerState } from "./worker-state.ts";

export interface GpuWorkerNeeds {
  readonly broker: Broker;
  readonly blobs: BlobStore;
}

/** What a test may look at or break. */
export interface WiredGpuWorker {
  readonly engine: EngineProcess;
}

/** Resolves once the worker asks for work. Rejects where the model cannot be used. */
export async function wireGpuWorker(
  app: App,
  config: GpuWorkerConfig,
  { broker, blobs }: GpuWorkerNeeds,
): Promise<WiredGpuWorker> {
  const { clock } = app;
  const log = app.log.child({ worker_id: config.worker });
  const metrics = createMetrics(app.registry);
  const state = new WorkerState(config);
  const run = { lastStepMs: 0 };
  const onChange = (): void => {
    if (engine.problem() !== undefined) shelf.loseEngine();
    state.bell.ring();
  };
  const engine = createEngine({ app, config, metrics, run, onChange });
  const shelf = await openShelf({ app, config: config.loras, blobs, engine, log });
  const starting = measureStart(app);
  const info = await app.open("engine", engine.start(app.stop), () => engine.close());
  starting.loaded(engine);
  log.info({ model: info.name, model_digest: info.digest }, "model is loaded");
  await announcePool({ app, config, broker, info });

  const copies = config.durability === "manifest";
  const outcomes = copies ? copyOutcomes(broker.outcomes, blobs) : broker.outcomes;
  const delivery = { outcomes, blobs, clock, modelDigest: info.digest };
  const { device, node, drainGraceMs } = config;
  const wishes = new PreviewWishes();
  const unwish = broker.progress.onPreviewWish((job) => wishes.note(job, clock.now()));
  await app.open("preview-wishes", unwish, (end) => end());
  const latents = new LatentStore({ blobs, model: info, device, clock, log, metrics });
  const runner = new AttemptRunner({
    state,
    engine,
    shelf,
    wishes,
    latents,
    broker,
    delivery: { ...delivery, worker: config.worker },
    clock,
    log: log.child({ model_digest: info.digest }),
    metrics,
    failures: createFailureMetrics(app.registry),
    traces: new AttemptTraces(app.tracing, clock),
    fail: (error) => app.fail(error),
  });
  const unsubscribe = broker.link.onControl(config.worker, (control) =>
    obeyControl({ state, runner, log, metrics }, control),
  );
  await app.open("control", unsubscribe, (end) => end());

  const drained = new AbortController();
  const { link } = broker;
  app.ready(() => engine.problem());
  app.ready(() => broker.problem());
  app.ready(() => blobs.problem());
  app.spawn("broker-state", (stop) => broker.untilLost(stop));
  app.spawn("engine", (stop) => engine.run(stop));
  app.spawn("heartbeat", () =>
    runHeartbeat({ state, link, engine, info, device, node, clock }, drained.signal),
  );
  const lastStepMs = (): number => run.lastStepMs;
  const loop = { state, link, shards: broker.shards, engine, shelf, runner, clock, log, metrics };
  app.spawn("tasks", (stop) =>
    runTaskLoop({ ...loop, lastStepMs, drainGraceMs }, stop).finally(() => drained.abort()),
  );
  return { engine };
}

function createEngine(parts: {
  readonly app: App;
  readonly config: GpuWorkerConfig;
  readonly metrics: WorkerMetrics;
  readonly run: { lastStepMs: number };
  readonly onChange: () => void;
}): EngineProcess {
  const { app, config, metrics, run, onChange } = parts;
  const { modelDir, device, slots: batchMax, engineEntry } = config;
  const { threads, sideThreads, weights, memoryBytes } = config;
  const { ramBytes } = config.loras;
  const settings = {
    modelDir,
    device,
    batchMax,
    loraJoinBytes: loraDeviceBytesOf(ramBytes),
    reservedBytes: loraMemoryBytesOf(ramBytes),
    ...(weights === undefined ? {} : { weights }),
    ...(memoryBytes === undefined ? {} : { memoryBytes }),
  };
  return new EngineProcess({
    settings: {
      ...settings,
      ...(threads === undefined ? {} : { threads }),
      ...(sideThreads === undefined ? {} : { sideThreads }),
    },
    clock: app.clock,
    log: app.log.child({ part: "engine" }),
    onChange,
    onRestart: () => metrics.engineRestartsTotal.inc(),
    onRun: ({ stepMs, batchTasks }) => {
      run.lastStepMs = stepMs;
      metrics.denoiseStepSeconds.observe(stepMs / 1_000);
      metrics.batchSize.observe(batchTasks);
    },
    ...(engineEntry === undefined ? {} : { entry: engineEntry }),
  });
}

/** Writes what the pool can do; the gateway checks requests against it. */
async function announcePool(parts: {
  readonly app: App;
  readonly config: GpuWorkerConfig;
  readonly broker: Broker;
  readonly info: EngineInfo;
}): Promise<void> {
  const { app, config, broker, info } = parts;
  const { sizeMultiple, pixelsMax, stepsDefault, widthDefault, heightDefault } = info;
  const { loraArchitecture } = info;
  const record: PoolRecord = {
    pool: config.pool,
    model: info.name,
    modelDigest: info.digest,
    sizeMultiple,
    pixelsMax,
    stepsDefault,
    widthDefault,
    heightDefault,
    rankBudget: config.loras.ranks,
    loraArchitecture,
    guidance:
      info.guidanceDefault === undefined ? undefined : { scaleDefault: info.guidanceDefault },
  };
  const retrying = { clock: app.clock, stop: app.stop };
  const standing = await retry(() => broker.pools.find(config.pool), retrying);
  if (standing !== undefined && standing.modelDigest !== info.digest) {
    const models = { model_before: standing.modelDigest, model_now: info.digest };
    app.log.warn({ pool: config.pool, ...models }, "pool changes its model");
  }
  await retry(() => broker.pools.put(record), retrying);
}
