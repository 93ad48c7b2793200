/** What locks, quarantines and their ends have in common: the policy of one worker. */
import type { WorkerPolicy } from "@zfarm/contract";
import { plainWorkerPolicy } from "../domain/worker-conduct.ts";
import type { GatewayNeeds } from "../needs.ts";
import { changePolicy } from "./change-policy.ts";
import { findWorker } from "./fleet-lookup.ts";

/** INVALID_REQUEST, WORKER_NOT_FOUND, NO_LEADER, CONFLICT. */
export async function changeWorker(
  needs: GatewayNeeds,
  name: string,
  change: (policy: WorkerPolicy) => WorkerPolicy,
): Promise<void> {
  const worker = await findWorker(needs, name);
  const initial = plainWorkerPolicy(worker);
  await changePolicy(needs.broker.policies.workers, { id: worker, initial, change });
}
