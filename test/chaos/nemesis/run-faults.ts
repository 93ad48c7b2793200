/** Carries out a plan of faults on a farm, and writes each into its history. */
import { setTimeout as sleep } from "node:timers/promises";
import type { ChaosFarm } from "../farm/chaos-farm.ts";
import type { ManagedProcess } from "../farm/managed-process.ts";
import type { PlannedFault } from "./plan-faults.ts";

/** Ends early, without the rest of the plan, when `stop` aborts. */
export async function runFaults(
  farm: ChaosFarm,
  plan: readonly PlannedFault[],
  stop: AbortSignal,
): Promise<void> {
  const startedMs = performance.now();
  const lasting: Promise<void>[] = [];
  for (const fault of plan) {
    const waitMs = startedMs + fault.atMs - performance.now();
    await sleep(Math.max(0, waitMs), undefined, { signal: stop }).catch(() => undefined);
    if (stop.aborted) break;
    lasting.push(runFault(farm, fault));
  }
  await Promise.all(lasting);
}

async function runFault(farm: ChaosFarm, fault: PlannedFault): Promise<void> {
  switch (fault.kind) {
    case "kill-worker":
      return await killOne(farm, fault, farm.workers);
    case "kill-gateway":
      return await killOne(farm, fault, farm.gateways);
    case "kill-nats":
      return await killOne(farm, fault, [farm.nats]);
    case "kill-leader": {
      const leader = await farm.findLeader();
      return await killOne(farm, fault, leader === undefined ? [] : [leader]);
    }
    case "stop-worker": {
      const worker = chooseAlive(farm.workers, fault.target);
      if (worker === undefined) return;
      farm.fault(fault.kind, worker.name);
      return await worker.freezeFor(fault.lastsMs);
    }
  }
}

/** What is dead already cannot be killed again, and does not count. */
async function killOne(
  farm: ChaosFarm,
  fault: PlannedFault,
  processes: readonly ManagedProcess[],
): Promise<void> {
  const victim = chooseAlive(processes, fault.target);
  if (victim === undefined) return;
  farm.fault(fault.kind, victim.name);
  await victim.kill();
}

function chooseAlive(
  processes: readonly ManagedProcess[],
  target: number,
): ManagedProcess | undefined {
  const alive = processes.filter((process) => process.isAlive);
  return alive[Math.floor(target * alive.length)];
}
