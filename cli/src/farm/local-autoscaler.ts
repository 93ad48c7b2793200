/** Tells the scheduler of a farm on this machine how many workers it may ask for. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { defaultPool, limits, type PoolId, parsePoolId } from "@zfarm/contract";
import type { Env } from "@zfarm/runtime";
import { UsageError } from "../usage-error.ts";
import type { WorkerRange } from "./worker-count.ts";

/** The pool of this machine's workers; a name that none can have is refused by the workers. */
export function localPool(env: Env): PoolId {
  return parsePoolId(env["WORKER_POOL"] ?? defaultPool) ?? defaultPool;
}

/** Two who say how many workers there are would overrule each other. */
export function refuseOtherAutoscaler(env: Env, { min, max }: WorkerRange): void {
  for (const name of ["AUTOSCALER", "AUTOSCALER_FILE"]) {
    if ((env[name] ?? "") === "") continue;
    const what = `--workers ${min}..${max} has an autoscaler of its own`;
    throw new UsageError(`${what}: unset ${name}, or give one number of workers`);
  }
}

/** Writes the autoscaler's file; gives the settings that the scheduler reads. */
export async function writeAutoscaler(
  { dataDir, env }: { readonly dataDir: string; readonly env: Env },
  { min, max }: WorkerRange,
): Promise<Env> {
  const path = join(dataDir, "autoscaler.json");
  const pool = {
    target: "worker",
    min,
    max,
    warm: 0,
    startWithinSeconds: {
      interactive: limits.localInteractiveSeconds,
      standard: limits.localStandardSeconds,
      batch: limits.localBatchSeconds,
    },
    idleSecondsToZero: limits.localIdleSeconds,
    holdSeconds: limits.localHoldSeconds,
  };
  const file = { tickSeconds: limits.localTickSeconds, pools: { [localPool(env)]: pool } };
  await writeFile(path, `${JSON.stringify(file, undefined, 2)}\n`);
  return { AUTOSCALER: "local", AUTOSCALER_FILE: path };
}
