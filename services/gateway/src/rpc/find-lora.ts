/** Finds an adapter that a request names by itself, and the pool that it is about. */
import { FarmError, type LoraRef, type PoolId, type ProjectId } from "@zfarm/contract";
import { adapterProblem, stackProblem } from "../domain/stack-rules.ts";
import type { GatewayNeeds } from "../needs.ts";
import { readLoraUse, readParent } from "./lora-lookup.ts";
import { readPool } from "./read-pool.ts";

interface Named {
  readonly parent: string;
  readonly lora: string;
  readonly pool: string;
}

export interface FoundPlace {
  readonly project: ProjectId;
  readonly pool: PoolId;
  readonly ref: LoraRef;
}

/** INVALID_REQUEST, LORA_NOT_FOUND, POOL_NOT_FOUND, NO_CAPABLE_POOL. */
export async function findLora(
  { loras, pools }: Pick<GatewayNeeds, "loras" | "pools">,
  named: Named,
): Promise<FoundPlace> {
  const project = readParent(named.parent);
  const use = readLoraUse(named.lora);
  const pool = readPool(named.pool, "pool");
  const found = await loras.find(project, use);
  if (found === undefined) {
    throw new FarmError("LORA_NOT_FOUND", `project ${project} has no adapter ${named.lora}`);
  }
  const record = await pools.find(pool);
  if (record === undefined) {
    throw new FarmError("POOL_NOT_FOUND", `no worker of a pool ${pool} was ever seen`);
  }
  const { digest, rank, sizeBytes, pinned, architecture } = found;
  const ref = { digest, weight: 1, rank, sizeBytes, ...(pinned ? { pinned } : {}) };
  const problem =
    stackProblem({ adapters: [ref] }, record) ?? adapterProblem(named.lora, architecture, record);
  if (problem !== undefined) throw new FarmError("NO_CAPABLE_POOL", problem);
  return { project, pool, ref };
}
