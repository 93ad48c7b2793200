/** What the leader tells of workers: each in the state that counts, what it runs, what it holds. */
import {
  LoraTier,
  limits,
  taskName,
  type Worker,
  type WorkerAdapter,
  type WorkerId,
  type WorkerReply,
  WorkerState,
  type WorkerTask,
  workerName,
} from "@zfarm/contract";
import type { FarmState } from "./farm-state.ts";
import { asideUntil, isLocked } from "./serving.ts";
import type { Shelf, Tier } from "./shelf.ts";
import type { TaskEntry } from "./task-entry.ts";
import type { WorkerEntry } from "./worker-entry.ts";

export interface WorkerPageQuery {
  /** Empty: all pools. */
  readonly pool: string;
  readonly name?: string | undefined;
  readonly state?: WorkerState | undefined;
  /** Only names behind this one. */
  readonly after: string;
  readonly size: number;
}

export interface WorkerPage {
  readonly workers: Worker[];
  readonly hasMore: boolean;
}

/** Workers by name; those that have not sent a heartbeat yet are left out. */
export function pageOfWorkers(state: FarmState, query: WorkerPageQuery): WorkerPage {
  const { pool, name, after, size } = query;
  const found: { name: string; worker: WorkerEntry; info: Worker }[] = [];
  for (const worker of state.workers.values()) {
    const { info } = worker;
    if (info === undefined || (pool !== "" && info.pool !== pool)) continue;
    const own = workerName(worker.id);
    if (own <= after || (name !== undefined && own !== name)) continue;
    const condition = conditionOf(state, worker) ?? info.state;
    if (query.state !== undefined && condition !== query.state) continue;
    found.push({ name: own, worker, info });
  }
  found.sort((one, other) => (one.name < other.name ? -1 : 1));
  const workers: Worker[] = [];
  let bytes = 0;
  for (const { worker, info } of found.slice(0, size)) {
    const described = describeWorker(state, worker, info);
    bytes += bytesAtMost(described);
    if (bytes > pageBytesMax && workers.length > 0) break;
    workers.push(described);
  }
  return { workers, hasMore: found.length > workers.length };
}

/** A page and the message around it must fit the broker's payload. */
const pageBytesMax = limits.messageBytesMax / 2;

/** Numbers and what is bounded elsewhere take less than 256 bytes; texts up to three a unit. */
function bytesAtMost({ host, lock, quarantine, ...worker }: Worker): number {
  const texts = [worker.name, worker.model, worker.modelDigest, worker.device, worker.pool];
  const said = [host?.node, lock?.reason, quarantine?.cause, quarantine?.note];
  return [...texts, ...said].reduce((sum, text = "") => sum + text.length * 3, 256);
}

/** One worker, what it runs and what it holds; nothing of one that does not live. */
export function lookAtWorker(state: FarmState, id: WorkerId): WorkerReply {
  const worker = state.workers.get(id);
  if (worker?.info === undefined) return { tasks: [], adapters: [] };
  const tasks = [...worker.leases].flatMap((entry) => describeTask(entry, worker));
  return {
    worker: describeWorker(state, worker, worker.info),
    tasks: tasks.toSorted(
      (one, other) => (one.grantTime?.getTime() ?? 0) - (other.grantTime?.getTime() ?? 0),
    ),
    adapters: adaptersOf(worker.shelf),
  };
}

/** What overrules the worker's own word; undefined: nothing does. */
export function conditionOf(state: FarmState, worker: WorkerEntry): WorkerState | undefined {
  if (asideUntil(state, worker) !== undefined) return WorkerState.QUARANTINED;
  if (worker.info?.state === WorkerState.DRAINING) return undefined;
  return isLocked(worker) ? WorkerState.LOCKED : undefined;
}

function describeWorker(state: FarmState, worker: WorkerEntry, info: Worker): Worker {
  return {
    ...info,
    name: workerName(worker.id),
    state: conditionOf(state, worker) ?? info.state,
    heartbeatTime: new Date(worker.heardAt),
    quarantine: quarantineOf(state, worker),
    shelf: worker.shelf && countShelf(worker.shelf),
    lock: worker.policy?.lock,
  };
}

function quarantineOf(state: FarmState, worker: WorkerEntry): Worker["quarantine"] {
  const until = asideUntil(state, worker);
  if (until === undefined) return undefined;
  const endTime = Number.isFinite(until) ? new Date(until) : undefined;
  const byHand = state.asideByHand.of(worker.id, state.now);
  if (byHand !== undefined) return { cause: "OPERATOR", endTime, note: byHand.note };
  const own = state.health.quarantineOf(worker.id, state.now);
  return { cause: own?.cause ?? "", endTime };
}

function describeTask(entry: TaskEntry, worker: WorkerEntry): WorkerTask[] {
  const lease = [entry.trial?.lease, entry.trial?.rival].find((each) => each?.worker === worker.id);
  if (lease === undefined) return [];
  return [
    {
      name: taskName(entry.id),
      attempt: lease.attempt,
      step: lease.step,
      steps: entry.image?.steps ?? 0,
      grantTime: new Date(lease.grantedAt),
    },
  ];
}

function countShelf(shelf: Shelf): NonNullable<Worker["shelf"]> {
  const counts: Record<Tier, number> = { device: 0, ram: 0, disk: 0, none: 0 };
  for (const digest of shelf.digests()) counts[shelf.tierOf(digest)] += 1;
  return { onDevice: counts.device, inRam: counts.ram, onDisk: counts.disk };
}

const tiers: Readonly<Record<Tier, LoraTier>> = {
  device: LoraTier.DEVICE,
  ram: LoraTier.RAM,
  disk: LoraTier.DISK,
  none: LoraTier.UNSPECIFIED,
};

function adaptersOf(shelf: Shelf | undefined): WorkerAdapter[] {
  const digests = [...(shelf?.digests() ?? [])];
  return digests
    .map((digest) => ({
      digest,
      sizeBytes: BigInt(shelf?.bytesOf(digest) ?? 0),
      tier: tiers[shelf?.tierOf(digest) ?? "none"],
    }))
    .toSorted((one, other) => one.tier - other.tier);
}
