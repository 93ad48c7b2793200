/**
 * The whole farm on one machine: broker, scheduler, gateway and workers. With a NATS server each
 * service is a process of its own; without one, everything runs in this process on the in-memory
 * broker, and a restart forgets all tasks.
 */
import { mkdir } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { UsageError } from "../usage-error.ts";
import { type ChosenBroker, chooseBroker } from "./choose-broker.ts";
import type { LocalFarmOptions } from "./farm-options.ts";
import { refuseOtherAutoscaler } from "./local-autoscaler.ts";
import { startServiceProcesses } from "./services-as-processes.ts";
import { startServicesInProcess } from "./services-in-process.ts";

export interface LocalFarm {
  /** HOST:PORT of the gateway. */
  readonly address: string;
  /** Drains everything, in the order that loses nothing. */
  stop(): Promise<void>;
}

/** The model that ships with the repository. */
export const shippedModelDir = join(
  dirname(fileURLToPath(import.meta.url)),
  "../../../models/z-image-nano",
);

export async function startLocalFarm(options: LocalFarmOptions): Promise<LocalFarm> {
  if (options.range !== undefined) refuseOtherAutoscaler(options.env, options.range);
  const dataDir = resolve(options.dataDir);
  await mkdir(join(dataDir, "logs"), { recursive: true });
  const absolute = { ...options, dataDir, modelDir: resolve(options.modelDir) };

  const broker = await chooseBroker(absolute);
  options.note(`broker: ${broker.description}`);
  options.note(`store: ${describeStore(absolute)}`);
  try {
    refuseRangeInOneProcess(options, broker);
    const services =
      broker.url === undefined
        ? await startServicesInProcess(absolute)
        : await startServiceProcesses(absolute, broker.url);
    return {
      address: `127.0.0.1:${services.port}`,
      stop: async () => {
        await services.stop();
        await broker.stop();
      },
    };
  } catch (error) {
    await broker.stop();
    throw error;
  }
}

/** Workers inside this process come and go with it. */
function refuseRangeInOneProcess(
  { range }: LocalFarmOptions,
  { url, description }: ChosenBroker,
): void {
  if (range === undefined || url !== undefined) return;
  const what = `--workers ${range.min}..${range.max} needs a nats-server: the broker is`;
  throw new UsageError(`${what} ${description}, with all workers in one process; give one number`);
}

function describeStore(options: LocalFarmOptions): string {
  return options.env["S3_ENDPOINT"] ?? join(options.dataDir, "blobs");
}
