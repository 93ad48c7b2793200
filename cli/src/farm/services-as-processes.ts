/** The services of a local farm as child processes over a real NATS server. */
import { join } from "node:path";
import type { Env } from "@zfarm/runtime";
import {
  type LocalFarmOptions,
  loraSettings,
  type RunningServices,
  storeSettings,
} from "./farm-options.ts";
import { freePort } from "./free-port.ts";
import { createServiceProcess } from "./service-process.ts";
import type { SupervisedProcess } from "./supervised-process.ts";

export async function startServiceProcesses(
  options: LocalFarmOptions,
  natsUrl: string,
): Promise<RunningServices> {
  const port = options.port === 0 ? await freePort() : options.port;
  const store = storeSettings(options.env, options.dataDir);
  const shared: Env = { ...options.env, ...store, NATS_URL: natsUrl };
  const create = (service: string, name: string, env: Env = {}): SupervisedProcess =>
    createServiceProcess({
      service,
      name,
      env: { ...shared, ...env },
      logFile: join(options.dataDir, "logs", `${name}.log`),
      clock: options.clock,
      note: (line) => options.note(line),
      onStart: (pid) => options.onStart?.(name, pid),
    });

  const scheduler = create("scheduler", "scheduler");
  const gateway = create("gateway", "gateway", { GATEWAY_PORT: String(port) });
  const workers = Array.from({ length: options.workers }, (_, index) =>
    create("gpu-worker", `worker-${index + 1}`, {
      WORKER_ID: `worker-${index + 1}`,
      MODEL_DIR: options.modelDir,
      ...loraSettings(options.env, options.dataDir),
    }),
  );

  const all = [scheduler, gateway, ...workers];
  for (const service of all) service.start();
  const stop = async (): Promise<void> => {
    // Clients first, then those who work for them, last the one that keeps the books.
    await gateway.stop();
    await Promise.all(workers.map((worker) => worker.stop()));
    await scheduler.stop();
  };
  try {
    await Promise.all(all.map((service) => service.ready(options.stop)));
  } catch (error) {
    await stop();
    throw error;
  }
  return { port, stop };
}
