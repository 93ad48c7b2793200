/** All that `zfarm top` shows of a farm at one moment, and how it is read. */
import type { FarmClient } from "@zfarm/client";
import type { Pool, PoolQueue, ScalingDecision, Worker } from "@zfarm/contract";

export interface FarmPicture {
  readonly address: string;
  /** When it was read; milliseconds since the epoch. */
  readonly readAt: number;
  readonly pools: readonly Pool[];
  readonly queues: readonly PoolQueue[];
  readonly workers: readonly Worker[];
  readonly actuator: string;
  readonly scaling: readonly ScalingDecision[];
}

type FleetReader = Pick<
  FarmClient,
  "listPools" | "getQueueStatistics" | "listWorkers" | "getScalingStatus"
>;

/** A farm that is silent for longer is shown as such, and asked again. */
const answerMs = 3_000;

/** Rejects with a FarmError where the farm does not answer. */
export async function readPicture(
  client: FleetReader,
  { address, nowMs, signal }: { address: string; nowMs: number; signal: AbortSignal },
): Promise<FarmPicture> {
  const options = { signal, timeoutMs: answerMs };
  const [pools, queues, workers, { actuator, pools: scaling }] = await Promise.all([
    client.listPools(options),
    client.getQueueStatistics(options),
    client.listWorkers(options),
    client.getScalingStatus(options),
  ]);
  return { address, readAt: nowMs, pools, queues, workers, actuator, scaling };
}
