/** What a farm on one machine is started with, whichever way its services run. */
import { join } from "node:path";
import type { Clock, Env, Log } from "@zfarm/runtime";
import type { WorkerCount } from "./worker-count.ts";

export interface LocalFarmOptions extends WorkerCount {
  /** Of the gateway; 0 takes a free one. */
  readonly port: number;
  readonly dataDir: string;
  readonly modelDir: string;
  /** What the user set: NATS_URL and S3 settings reach the services from here. */
  readonly env: Env;
  readonly clock: Clock;
  readonly log: Log;
  readonly stop: AbortSignal;
  readonly note: (line: string) => void;
  /** Called for every process that is started, restarts included. */
  readonly onStart?: (name: string, pid: number) => void;
  /** Called for every worker that was asked to go and is gone. */
  readonly onGone?: (name: string) => void;
}

/** Started services, however they run. */
export interface RunningServices {
  readonly port: number;
  stop(): Promise<void>;
}

/** Where workers keep adapters, unless the user says: beside the logs, shared by all of them. */
export function loraSettings(env: Env, dataDir: string): Env {
  return env["WORKER_LORA_DIR"] === undefined ? { WORKER_LORA_DIR: join(dataDir, "loras") } : {};
}

/** Settings of the store that services read: the user's S3, or a folder beside the logs. */
export function storeSettings(env: Env, dataDir: string): Env {
  return env["S3_ENDPOINT"] === undefined ? { BLOBS_DIR: join(dataDir, "blobs") } : {};
}
