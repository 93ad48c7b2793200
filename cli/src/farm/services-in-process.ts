/** The services of a local farm inside this process, on the in-memory broker. */
import { openBlobStore, readBlobsConfig } from "@zfarm/blobs";
import { createMemoryBroker } from "@zfarm/broker";
import { readGatewayConfig, wireGateway } from "@zfarm/gateway";
import { readGpuWorkerConfig, wireGpuWorker } from "@zfarm/gpu-worker";
import { type App, EnvReader, findFreePort, type RunningApp, startApp } from "@zfarm/runtime";
import { readSchedulerConfig, wireScheduler } from "@zfarm/scheduler";
import {
  type LocalFarmOptions,
  loraSettings,
  type RunningServices,
  storeSettings,
} from "./farm-options.ts";

export async function startServicesInProcess(options: LocalFarmOptions): Promise<RunningServices> {
  const port = options.port === 0 ? await findFreePort() : options.port;
  const broker = createMemoryBroker();
  const { dataDir } = options;
  const settings = {
    ...storeSettings(options.env, dataDir),
    ...loraSettings(options.env, dataDir),
  };
  const env = { ...options.env, ...settings };
  const blobs = await openBlobs(env, options);
  const start = (name: string, wire: (app: App) => Promise<unknown>): RunningApp =>
    startApp({
      name,
      log: options.log.child({ service: name }),
      wire: async (app) => {
        await wire(app);
      },
    });

  const scheduler = start("scheduler", (app) =>
    wireScheduler(app, readSchedulerConfig(env), { broker, blobs }),
  );
  const gateway = start("gateway", (app) =>
    wireGateway(app, readGatewayConfig({ ...env, GATEWAY_PORT: String(port) }), { broker, blobs }),
  );
  const workers = Array.from({ length: options.workers }, (_, index) => {
    const name = `worker-${index + 1}`;
    const config = readGpuWorkerConfig({ ...env, WORKER_ID: name, MODEL_DIR: options.modelDir });
    return start(name, (app) => wireGpuWorker(app, config, { broker, blobs }));
  });

  const stop = async (): Promise<void> => {
    await gateway.stop();
    await Promise.all(workers.map((worker) => worker.stop()));
    await scheduler.stop();
    await broker.drain();
    await blobs.close();
  };
  try {
    await Promise.all([scheduler, gateway, ...workers].map((app) => app.ready));
  } catch (error) {
    await stop();
    throw error;
  }
  return { port, stop };
}

function openBlobs(env: LocalFarmOptions["env"], options: LocalFarmOptions) {
  const reader = new EnvReader(env);
  const config = readBlobsConfig(reader);
  reader.finish();
  return openBlobStore(config, { clock: options.clock });
}
