/** Finds what operators name: workers, and pools. */
import {
  FarmError,
  type FleetRef,
  nameRule,
  type PoolId,
  parseFleetName,
  type WorkerId,
  workerName,
} from "@zfarm/contract";
import { invalidField } from "../domain/violations.ts";
import type { GatewayNeeds } from "../needs.ts";
import { askLeader } from "./ask-leader.ts";

/** INVALID_REQUEST, WORKER_NOT_FOUND, POOL_NOT_FOUND, NO_LEADER. */
export async function findFleet(needs: GatewayNeeds, name: string): Promise<FleetRef> {
  const ref = parseFleetName(name);
  if (ref === undefined) {
    const description = `must be workers/{worker} or pools/{pool}; each is ${nameRule}`;
    throw invalidField("name", { reason: "BAD_NAME", description });
  }
  if (ref.kind === "worker") await requireWorker(needs, ref.worker);
  else await requirePool(needs, ref.pool);
  return ref;
}

/** The worker of `workers/{worker}`; INVALID_REQUEST. */
export function readWorker(name: string): WorkerId {
  const ref = parseFleetName(name);
  if (ref?.kind === "worker") return ref.worker;
  const description = `must be workers/{worker}; a worker is ${nameRule}`;
  throw invalidField("name", { reason: "BAD_NAME", description });
}

/** The same, if it lives or something was wanted of it before. WORKER_NOT_FOUND, NO_LEADER. */
export async function findWorker(needs: GatewayNeeds, name: string): Promise<WorkerId> {
  const worker = readWorker(name);
  await requireWorker(needs, worker);
  return worker;
}

/** The pool of `pools/{pool}`; INVALID_REQUEST for `field`, POOL_NOT_FOUND. */
export async function findPool(needs: GatewayNeeds, name: string, field: string): Promise<PoolId> {
  const ref = parseFleetName(name);
  if (ref?.kind !== "pool") {
    const description = `must be pools/{pool}; a pool is ${nameRule}`;
    throw invalidField(field, { reason: "BAD_NAME", description });
  }
  await requirePool(needs, ref.pool);
  return ref.pool;
}

/** A worker that lives, or one that something was wanted of before. */
async function requireWorker({ broker }: GatewayNeeds, worker: WorkerId): Promise<void> {
  if ((await broker.policies.workers.find(worker)) !== undefined) return;
  const value = { pool: "", name: workerName(worker) };
  const { workers } = await askLeader(broker, { $case: "listWorkers", value });
  if (workers.length > 0) return;
  throw new FarmError("WORKER_NOT_FOUND", `no worker ${worker} lives`);
}

async function requirePool({ broker, pools }: GatewayNeeds, pool: PoolId): Promise<void> {
  if ((await pools.find(pool)) !== undefined) return;
  if ((await broker.policies.pools.find(pool)) !== undefined) return;
  throw new FarmError("POOL_NOT_FOUND", `no worker of a pool ${pool} was ever seen`);
}
