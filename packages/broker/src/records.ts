/** Records of jobs, pools and the farm: one message each in a bucket, replaced as a whole. */
import {
  buckets,
  FarmRecord,
  farmKey,
  JobRecord,
  type JobRef,
  type PoolId,
  PoolRecord,
  ShardRecord,
  shardKey,
} from "@zfarm/contract";
import type { Clock } from "@zfarm/runtime";
import type { FarmRecords, JobRecords, PoolRecords, Revision, StoredJob } from "./broker.ts";
import { decodeStored, encode } from "./codec.ts";
import type { LogMessage, SubjectLog } from "./ports.ts";
import { readLog } from "./read-log.ts";
import { assertSameShards, ledShard, type ShardView } from "./shard-view.ts";

/** The subject of a key in a bucket, as NATS key-value stores have it (ADR-8). */
export function bucketSubject(bucket: string, key: string): string {
  return `$KV.${bucket}.${key}`;
}

export class LogJobRecords implements JobRecords {
  readonly #log: SubjectLog;

  constructor(log: SubjectLog) {
    this.#log = log;
  }

  async create(record: JobRecord): Promise<{ created: boolean; stored: StoredJob }> {
    const subject = jobSubject(record);
    const bytes = encode(JobRecord, record);
    for (;;) {
      const put = await this.#log.put({ subject, bytes, expected: 0n });
      if (put.kind === "stored") {
        return { created: true, stored: { record, revision: put.revision } };
      }
      const standing = await this.#log.last(subject);
      if (standing !== undefined) return { created: false, stored: storedJob(standing) };
      // It expired between the two looks; that happens once in the life of a record.
    }
  }

  async find(job: JobRef): Promise<StoredJob | undefined> {
    const message = await this.#log.last(jobSubject(job));
    return message === undefined ? undefined : storedJob(message);
  }

  async update(record: JobRecord, revision: Revision): Promise<Revision | "conflict"> {
    const bytes = encode(JobRecord, record);
    const put = await this.#log.put({ subject: jobSubject(record), bytes, expected: revision });
    return put.kind === "stored" ? put.revision : "conflict";
  }
}

export class LogPoolRecords implements PoolRecords {
  readonly #log: SubjectLog;
  readonly #clock: Clock;

  constructor(log: SubjectLog, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  async put(record: PoolRecord): Promise<void> {
    const subject = bucketSubject(buckets.pools, record.pool);
    await this.#log.put({ subject, bytes: encode(PoolRecord, record) });
  }

  async find(pool: PoolId): Promise<PoolRecord | undefined> {
    const message = await this.#log.last(bucketSubject(buckets.pools, pool));
    return message === undefined ? undefined : decodeStored(PoolRecord, message);
  }

  async list(): Promise<PoolRecord[]> {
    const filter = bucketSubject(buckets.pools, "*");
    const found = await readLog((stop) => this.#log.follow({ filter, after: 0n, stop }), {
      clock: this.#clock,
      what: "pools",
      max: Number.POSITIVE_INFINITY,
    });
    const records = (found ?? []).map((message) => decodeStored(PoolRecord, message));
    return records.toSorted((one, other) => (one.pool < other.pool ? -1 : 1));
  }
}

export class LogFarmRecords implements FarmRecords {
  readonly #log: SubjectLog;
  readonly #view: ShardView;

  constructor(log: SubjectLog, view: ShardView) {
    this.#log = log;
    this.#view = view;
  }

  async isRestored(): Promise<boolean> {
    const { only, shards } = this.#view;
    const asked = only === undefined ? Array.from({ length: shards }, (_, shard) => shard) : [only];
    const records = await Promise.all(asked.map((shard) => this.#log.last(shardSubject(shard))));
    return records.every(
      (stored) =>
        stored !== undefined && decodeStored(ShardRecord, stored).restoredTime !== undefined,
    );
  }

  async markRestored(restoredTime: Date): Promise<void> {
    const bytes = encode(ShardRecord, { restoredTime });
    await this.#log.put({ subject: shardSubject(ledShard(this.#view)), bytes });
  }
}

/**
 * Notes how many shards the farm has, or makes sure that it is so many. STATE_LOST where not:
 * tasks would be looked for where nobody puts them.
 */
export async function settleShards(log: SubjectLog, shards: number): Promise<void> {
  const subject = bucketSubject(buckets.farm, farmKey);
  // Read first: most processes find it there, and may lack the right to write it.
  let standing = await log.last(subject);
  if (standing === undefined) {
    const put = await log.put({ subject, bytes: encode(FarmRecord, { shards }), expected: 0n });
    if (put.kind === "stored") return;
    standing = await log.last(subject);
  }
  if (standing !== undefined) {
    assertSameShards(shards, decodeStored(FarmRecord, standing).shards);
  }
}

function shardSubject(shard: number): string {
  return bucketSubject(buckets.farm, shardKey(shard));
}

function jobSubject(job: { readonly project: string; readonly job: string }): string {
  return bucketSubject(buckets.jobs, `${job.project}.${job.job}`);
}

function storedJob(message: LogMessage): StoredJob {
  return { record: decodeStored(JobRecord, message), revision: message.revision };
}
