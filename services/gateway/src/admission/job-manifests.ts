/**
 * Keeps in the object store what a job was accepted with, before anybody is told OK: with it the
 * job outlives the broker. Written once: a later try of the same request gets what stands there,
 * with the seeds that were drawn first.
 */
import type { BlobStore } from "@zfarm/blobs";
import { copyOutcomes, findCopies, type OutcomeLog } from "@zfarm/broker";
import {
  controlCopyKey,
  FarmError,
  JobControl,
  JobManifest,
  type JobRecord,
  type JobRef,
  manifestKey,
  type TaskSpec,
  taskIdOf,
} from "@zfarm/contract";

type ManifestStore = Pick<BlobStore, "create" | "get" | "list" | "put" | "remove">;

export class JobManifests {
  readonly #store: ManifestStore;
  /** For outcomes that a gateway decides: they must outlive the broker as the jobs do. */
  readonly outcomes: OutcomeLog;

  constructor(store: ManifestStore, outcomes: OutcomeLog) {
    this.#store = store;
    this.outcomes = copyOutcomes(outcomes, store);
  }

  /**
   * The tasks of the manifest that stands: these or an earlier try's. The broker may have lost
   * that such a try was accepted; then what has ended is known again before a task is added.
   * STORE_UNAVAILABLE.
   */
  async keep(record: JobRecord, tasks: readonly TaskSpec[]): Promise<readonly TaskSpec[]> {
    const bytes = JobManifest.encode({ record, tasks: [...tasks] }).finish();
    const key = manifestKey(refOf(record));
    if ((await this.#store.create(key, bytes, "application/x-protobuf")) === "created") {
      return tasks;
    }
    const standing = readManifest(await this.#store.get(key), key);
    if (standing.record?.requestDigest !== record.requestDigest) {
      throw new FarmError("REQUEST_ID_REUSED", "this request_id came before with other content");
    }
    for (const copy of (await findCopies(this.#store, refOf(record), () => true)).values()) {
      await this.outcomes.publish(copy);
    }
    return standing.tasks;
  }

  /** The record of a job that the broker does not know any more. STORE_UNAVAILABLE. */
  async find(job: JobRef): Promise<JobRecord | undefined> {
    const key = manifestKey(job);
    const bytes = await this.#store.get(key);
    if (bytes === undefined) return undefined;
    const { record } = readManifest(bytes, key);
    return record && { ...record, admitted: true };
  }

  /** What is wanted of the job from now on, instead of what was before. STORE_UNAVAILABLE. */
  async keepControl(control: JobControl): Promise<void> {
    const bytes = JobControl.encode(control).finish();
    const key = controlCopyKey(taskIdOf({ ...control, index: 0 }));
    await this.#store.put(key, bytes, "application/x-protobuf");
  }

  /** After a refusal: nothing may bring the job back. */
  async forget(record: JobRecord): Promise<void> {
    await this.#store.remove(manifestKey(refOf(record)));
  }
}

function readManifest(bytes: Uint8Array | undefined, key: string): JobManifest {
  // Another try has just been refused and took it away.
  if (bytes === undefined) throw new FarmError("CONFLICT", `the manifest ${key} is gone again`);
  try {
    return JobManifest.decode(bytes);
  } catch (cause) {
    throw new FarmError("OBJECT_CORRUPT", `the manifest ${key} cannot be read`, { cause });
  }
}

function refOf(record: JobRecord): JobRef {
  return taskIdOf({ ...record, index: 0 });
}
