/** What draining and its end have in common: the policy of a worker or of a pool. */
import { plainPoolPolicy } from "../domain/pool-conduct.ts";
import { plainWorkerPolicy } from "../domain/worker-conduct.ts";
import type { GatewayNeeds } from "../needs.ts";
import { changePolicy } from "./change-policy.ts";
import { findFleet } from "./fleet-lookup.ts";

export async function setDraining(
  needs: GatewayNeeds,
  name: string,
  draining: boolean,
): Promise<void> {
  const ref = await findFleet(needs, name);
  const { policies } = needs.broker;
  if (ref.kind === "worker") {
    await changePolicy(policies.workers, {
      id: ref.worker,
      initial: plainWorkerPolicy(ref.worker),
      change: (policy) => ({ ...policy, draining }),
    });
    return;
  }
  await changePolicy(policies.pools, {
    id: ref.pool,
    initial: plainPoolPolicy(ref.pool),
    change: (policy) => ({ ...policy, draining }),
  });
}
