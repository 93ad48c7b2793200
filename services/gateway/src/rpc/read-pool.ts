/** Reads the name of a pool in a request. */
import { defaultPool, nameRule, type PoolId, parsePoolId } from "@zfarm/contract";
import { invalidField } from "../domain/violations.ts";

/** INVALID_REQUEST where it is none; the empty name is the default pool. */
export function readPool(name: string, field: string): PoolId {
  const pool = name === "" ? defaultPool : parsePoolId(name);
  if (pool !== undefined) return pool;
  throw invalidField(field, { reason: "BAD_NAME", description: `a pool is ${nameRule}` });
}
