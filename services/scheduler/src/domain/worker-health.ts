/**
 * Which workers are put aside for failures of their own. A strike is a failure that may be the
 * worker's; enough strikes for one cause put it in quarantine, longer each time it does no better.
 *
 * A bad task is told from a bad worker by trying the task elsewhere: if it fails the same way on
 * another worker, the first one's strike is withdrawn. A shared cause is told from a bad worker by
 * its number: no more than half of a pool is put aside, since half a farm does not break at once.
 */
import { limits, type PoolId, type TaskKey, type WorkerId } from "@zfarm/contract";
import { type HeapMember, IndexedHeap } from "./indexed-heap.ts";

export interface Strike {
  readonly worker: WorkerId;
  /** The failure's reason. */
  readonly cause: string;
  readonly task: TaskKey;
  readonly pool: PoolId;
  /** Workers of the pool, those in quarantine among them. */
  readonly poolWorkers: number;
}

/** What a strike led to; "bad-task" and "shared-cause" acquit the worker. */
export type StrikeVerdict = "counted" | "quarantined" | "bad-task" | "shared-cause";

export interface Quarantine {
  readonly cause: string;
  readonly since: number;
  readonly until: number;
}

/** One failure of a worker; with the tasks of a batch that failed together it is still one. */
interface Incident {
  readonly at: number;
  readonly worker: WorkerId;
  isWithdrawn: boolean;
}

/** A worker with strikes or a past quarantine; most workers have no record. */
class HealthRecord implements HeapMember {
  readonly worker: WorkerId;
  pool: PoolId;
  readonly incidents = new Map<string, Incident[]>();
  quarantine: Quarantine | undefined = undefined;
  /** Quarantines without a success in between. */
  row = 0;
  slot = -1;

  constructor(worker: WorkerId, pool: PoolId) {
    this.worker = worker;
    this.pool = pool;
  }

  get until(): number {
    return this.quarantine?.until ?? Number.POSITIVE_INFINITY;
  }
}

export class WorkerHealth {
  /** Oldest strike first. */
  readonly #records = new Map<WorkerId, HealthRecord>();
  /** By task and cause, where the task failed first; oldest first. */
  readonly #suspects = new Map<string, Incident>();
  readonly #quarantined = new IndexedHeap<HealthRecord>(
    (one, other) =>
      one.until < other.until || (one.until === other.until && one.worker < other.worker),
  );
  readonly #perPool = new Map<PoolId, number>();

  /** When the next quarantine ends; Infinity where there is none. */
  get nextChangeAt(): number {
    return this.#quarantined.first?.until ?? Number.POSITIVE_INFINITY;
  }

  quarantineOf(worker: WorkerId, now: number): Quarantine | undefined {
    const quarantine = this.#records.get(worker)?.quarantine;
    return quarantine !== undefined && quarantine.until > now ? quarantine : undefined;
  }

  /** Ends the quarantines whose time is over; whom it let go. To be called when that changes. */
  advance(now: number): WorkerId[] {
    const released: WorkerId[] = [];
    for (;;) {
      const { first } = this.#quarantined;
      if (first === undefined || first.until > now) return released;
      // What led to it is not held against the worker again.
      if (first.quarantine !== undefined) first.incidents.delete(first.quarantine.cause);
      this.#release(first);
      released.push(first.worker);
    }
  }

  /** A failure that may be the worker's own. */
  strike(strike: Strike, now: number): StrikeVerdict {
    const suspect = `${strike.task} ${strike.cause}`;
    const known = this.#suspects.get(suspect);
    const earlier = known !== undefined && !isOld(known, now) ? known : undefined;
    // The same task on the same worker again says nothing new of either.
    if (earlier?.worker === strike.worker) return "counted";
    const record = this.#open(strike);
    const incident = openIncident(record, strike.cause, now);
    if (earlier === undefined) {
      this.#suspect(suspect, incident);
      return this.#judge(record, strike, now);
    }
    // Whatever crashed beside a bad task is no fault of the worker either.
    this.#withdraw(earlier, strike.cause);
    this.#withdraw(incident, strike.cause);
    return "bad-task";
  }

  /** A finished picture: the worker does better, and its strikes are over. */
  succeed(worker: WorkerId): void {
    const record = this.#records.get(worker);
    // What it still finishes in quarantine does not speak for it.
    if (record?.quarantine === undefined) this.#records.delete(worker);
  }

  /** An operator forgets what happened up to `at`. Whether that ended a quarantine. */
  forgive(worker: WorkerId, at: number): boolean {
    const record = this.#records.get(worker);
    if (record === undefined) return false;
    record.row = 0;
    for (const [cause, incidents] of record.incidents) {
      const later = incidents.filter((incident) => incident.at > at);
      record.incidents.set(cause, later);
    }
    const isOver = record.quarantine !== undefined && record.quarantine.since <= at;
    if (isOver) this.#release(record);
    return isOver;
  }

  #open({ worker, pool }: Strike): HealthRecord {
    const record = this.#records.get(worker) ?? new HealthRecord(worker, pool);
    if (record.quarantine === undefined) record.pool = pool;
    this.#records.delete(worker);
    this.#records.set(worker, record);
    for (const oldest of this.#records.values()) {
      if (this.#records.size <= limits.strikeWorkersMax) break;
      this.#release(oldest);
      this.#records.delete(oldest.worker);
    }
    return record;
  }

  #suspect(suspect: string, incident: Incident): void {
    this.#suspects.delete(suspect);
    this.#suspects.set(suspect, incident);
    for (const oldest of this.#suspects.keys()) {
      if (this.#suspects.size <= limits.strikeTasksMax) return;
      this.#suspects.delete(oldest);
    }
  }

  #judge(record: HealthRecord, { cause, poolWorkers }: Strike, now: number): StrikeVerdict {
    if (record.quarantine !== undefined) return "counted";
    if (countStrikes(record, cause, now) < limits.strikesMax) return "counted";
    // What befalls most of a pool at once is no fault of this worker.
    if (this.#countStruck(record.pool, cause, now) > poolWorkers / 2) return "shared-cause";
    const inPool = this.#perPool.get(record.pool) ?? 0;
    if (inPool + 1 > poolWorkers / 2) return "shared-cause";
    const forMs = Math.min(limits.quarantineMs * 2 ** record.row, limits.quarantineMsMax);
    record.quarantine = { cause, since: now, until: now + forMs };
    record.row += 1;
    this.#perPool.set(record.pool, inPool + 1);
    this.#quarantined.put(record);
    return "quarantined";
  }

  /** Workers of the pool that stand struck for the cause. */
  #countStruck(pool: PoolId, cause: string, now: number): number {
    let count = 0;
    for (const record of this.#records.values()) {
      if (record.pool === pool && countStrikes(record, cause, now) > 0) count += 1;
    }
    return count;
  }

  /** Takes a strike back, and lets go who would not have been put aside without it. */
  #withdraw(incident: Incident, cause: string): void {
    incident.isWithdrawn = true;
    const record = this.#records.get(incident.worker);
    if (record?.quarantine?.cause !== cause) return;
    if (countStrikes(record, cause, record.quarantine.since) >= limits.strikesMax) return;
    record.row -= 1;
    this.#release(record);
  }

  /** Ends a quarantine; harmless without one. */
  #release(record: HealthRecord): void {
    if (record.quarantine === undefined) return;
    this.#quarantined.remove(record);
    record.quarantine = undefined;
    const left = (this.#perPool.get(record.pool) ?? 1) - 1;
    if (left > 0) this.#perPool.set(record.pool, left);
    else this.#perPool.delete(record.pool);
  }
}

/** The incident that a failure belongs to: one that has just begun, or a new one. */
function openIncident(record: HealthRecord, cause: string, now: number): Incident {
  const incidents = record.incidents.get(cause) ?? [];
  const newest = incidents.at(-1);
  if (newest !== undefined && newest.at + limits.strikeBurstMs > now) return newest;
  const incident = { at: now, worker: record.worker, isWithdrawn: false };
  const standing = incidents.filter((each) => !each.isWithdrawn && !isOld(each, now));
  record.incidents.delete(cause);
  record.incidents.set(cause, [...standing, incident].slice(-limits.strikesMax));
  for (const oldest of record.incidents.keys()) {
    if (record.incidents.size <= limits.strikeCausesMax) break;
    record.incidents.delete(oldest);
  }
  return incident;
}

function countStrikes(record: HealthRecord, cause: string, now: number): number {
  const incidents = record.incidents.get(cause) ?? [];
  return incidents.filter((each) => !each.isWithdrawn && !isOld(each, now)).length;
}

function isOld(incident: Incident, now: number): boolean {
  return incident.at + limits.strikeWindowMs <= now;
}
