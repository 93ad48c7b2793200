/** The services of a local farm as child processes over a real NATS server. */
import { join } from "node:path";
import { type Env, findFreePort } from "@zfarm/runtime";
import { answerHands } from "./answer-hands.ts";
import {
  type LocalFarmOptions,
  loraSettings,
  type RunningServices,
  storeSettings,
} from "./farm-options.ts";
import { localPool, writeAutoscaler } from "./local-autoscaler.ts";
import { LocalWorker } from "./local-worker.ts";
import { LocalWorkers } from "./local-workers.ts";
import { createServiceProcess } from "./service-process.ts";
import type { ProcessOptions, SupervisedProcess } from "./supervised-process.ts";

interface ServiceStart extends Pick<ProcessOptions, "onMessage" | "onStart"> {
  readonly service: string;
  readonly name: string;
  readonly env: Env;
}

export async function startServiceProcesses(
  options: LocalFarmOptions,
  natsUrl: string,
): Promise<RunningServices> {
  const port = options.port === 0 ? await findFreePort() : options.port;
  const store = storeSettings(options.env, options.dataDir);
  const shared: Env = { ...options.env, ...store, NATS_URL: natsUrl };
  const create = ({ env, name, onStart, ...start }: ServiceStart): SupervisedProcess =>
    createServiceProcess({
      ...start,
      name,
      env: { ...shared, ...env },
      logFile: join(options.dataDir, "logs", `${name}.log`),
      clock: options.clock,
      note: (line) => options.note(line),
      onStart: (pid) => {
        onStart?.(pid);
        options.onStart?.(name, pid);
      },
    });

  const workers = createWorkers(options, create);
  const scheduler = create(await describeScheduler(options, workers));
  const gateway = create({
    service: "gateway",
    name: "gateway",
    env: { GATEWAY_PORT: String(port) },
  });

  const keepers = [scheduler, gateway];
  for (const service of keepers) service.start();
  workers.start(options.workers);
  const stop = async (): Promise<void> => {
    // Clients first, then those who work for them, last the one that keeps the books.
    await gateway.stop();
    await workers.stop();
    await scheduler.stop();
  };
  try {
    await Promise.all([...keepers, workers].map((part) => part.ready(options.stop)));
  } catch (error) {
    await stop();
    throw error;
  }
  workers.open();
  return { port, stop };
}

function createWorkers(
  options: LocalFarmOptions,
  create: (start: ServiceStart) => SupervisedProcess,
): LocalWorkers {
  const { env, modelDir, dataDir, clock, onGone } = options;
  const settings = { MODEL_DIR: modelDir, ...loraSettings(env, dataDir) };
  return new LocalWorkers({
    pool: localPool(env),
    create: (name) =>
      new LocalWorker({
        name,
        clock,
        launch: (onStart) =>
          create({ service: "gpu-worker", name, onStart, env: { WORKER_ID: name, ...settings } }),
      }),
    ...(onGone === undefined ? {} : { onGone }),
  });
}

/** Where the number of workers may change, the scheduler is heard by who starts and stops them. */
async function describeScheduler(
  options: LocalFarmOptions,
  workers: LocalWorkers,
): Promise<ServiceStart> {
  const scheduler = { service: "scheduler", name: "scheduler" };
  if (options.range === undefined) return { ...scheduler, env: {} };
  return {
    ...scheduler,
    env: await writeAutoscaler(options, options.range),
    onMessage: (message, reply) => {
      const answer = answerHands(workers, message);
      if (answer !== undefined) reply(answer);
    },
  };
}
