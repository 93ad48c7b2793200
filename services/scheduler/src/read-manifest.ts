/** The border to manifests: what a gateway wrote, or nothing. */
import { JobControl, JobManifest, type JobRecord, type TaskSpec } from "@zfarm/contract";
import { isPlaceable } from "./check-message.ts";

export interface Manifest {
  readonly record: JobRecord;
  readonly tasks: readonly TaskSpec[];
}

/** Undefined where a task could not be placed: then it was written by another version or a bug. */
export function readManifest(bytes: Uint8Array): Manifest | undefined {
  try {
    const { record, tasks } = JobManifest.decode(bytes);
    const usable = tasks.every((spec) => isPlaceable({ spec, attempts: 0 }));
    return record === undefined || !usable ? undefined : { record, tasks };
  } catch {
    // A store may hold anything; what it is, is said by the caller.
    return undefined;
  }
}

/** What was wanted of a job when somebody last changed that. */
export function readControlCopy(bytes: Uint8Array): JobControl | undefined {
  try {
    return JobControl.decode(bytes);
  } catch {
    // Without it the job runs as it was created.
    return undefined;
  }
}
