/** Which workers hold an adapter, how near, and who fetches it when it is wanted ahead. */
import {
  type LoraRef,
  type LoraResidence,
  LoraTier,
  type PoolId,
  type WorkerId,
  workerName,
} from "@zfarm/contract";
import type { FarmState } from "./farm-state.ts";
import { isServing } from "./serving.ts";
import type { Tier } from "./shelf.ts";
import type { WorkerEntry } from "./worker-entry.ts";

const tiers: Readonly<Record<Tier, LoraTier>> = {
  device: LoraTier.DEVICE,
  ram: LoraTier.RAM,
  disk: LoraTier.DISK,
  none: LoraTier.UNSPECIFIED,
};

/** Nearest first, and by name. O(workers of the pool). */
const nearness: readonly Tier[] = ["device", "ram", "disk", "none"];

interface Place {
  readonly worker: WorkerEntry;
  readonly tier: Tier;
}

/** Workers of the pool that hold the adapter, nearest first. */
export function residencesOf(state: FarmState, pool: PoolId, digest: string): LoraResidence[] {
  return placesOf(state, pool, digest)
    .filter(({ tier }) => tier !== "none")
    .map(({ worker, tier }) => ({ worker: workerName(worker.id), tier: tiers[tier] }));
}

export interface PrefetchPlan {
  /** Who is to fetch it. */
  readonly workers: readonly WorkerId[];
  /** Who has it on the device or in RAM, of those that serve. */
  readonly ready: number;
}

/** Who is to fetch an adapter so that `count` workers have it: the nearest, then the idlest. */
export function planPrefetch(
  state: FarmState,
  pool: PoolId,
  { digest, count }: { readonly digest: string; readonly count: number },
): PrefetchPlan {
  const places = placesOf(state, pool, digest).filter(({ worker }) => isServing(state, worker));
  const cold = places.filter(({ tier }) => tier === "disk" || tier === "none");
  const ready = places.length - cold.length;
  const chosen = cold.slice(0, Math.max(0, count - ready));
  return { workers: chosen.map(({ worker }) => worker.id), ready };
}

export interface PrefetchAsked {
  readonly kind: "prefetch-asked";
  readonly pool: PoolId;
  readonly adapter: LoraRef;
  /** Workers that should have it. */
  readonly workers: number;
}

/** Tells those that the plan names. */
export function prefetch(state: FarmState, { pool, adapter, workers }: PrefetchAsked): void {
  const plan = planPrefetch(state, pool, { digest: adapter.digest, count: workers });
  for (const worker of plan.workers) {
    state.emit({ kind: "prewarm", reason: "asked-for", worker, adapter });
  }
}

/** Workers that take adapters. */
function placesOf(state: FarmState, pool: PoolId, digest: string): Place[] {
  const workers = [...(state.pools.get(pool)?.workers ?? [])];
  return workers
    .flatMap((worker) =>
      worker.shelf === undefined ? [] : [{ worker, tier: worker.shelf.tierOf(digest) }],
    )
    .toSorted(byNearness);
}

function byNearness(one: Place, other: Place): number {
  const nearer = nearness.indexOf(one.tier) - nearness.indexOf(other.tier);
  if (nearer !== 0) return nearer;
  const idler = one.worker.busyUntil - other.worker.busyUntil;
  if (idler !== 0) return idler;
  return one.worker.id < other.worker.id ? -1 : 1;
}
