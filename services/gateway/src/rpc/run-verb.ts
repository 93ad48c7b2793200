/** What the verbs of a job have in common: find it, change what is wanted of it, show it. */
import type { Job, JobControl } from "@zfarm/contract";
import type { GatewayNeeds } from "../needs.ts";
import type { CallScope } from "./call-scope.ts";
import { changeControl } from "./change-control.ts";
import { findJob, viewJob } from "./job-lookup.ts";

/** JOB_NOT_FOUND, JOB_ENDED, CONFLICT, and what `change` throws. */
export async function runVerb(
  needs: GatewayNeeds,
  call: { readonly name: string; readonly scope: CallScope },
  change: (control: JobControl) => JobControl,
): Promise<Job> {
  const found = await findJob(needs, call.name, "name");
  call.scope.note({ job_id: found.ref.job });
  const wanted = await changeControl(needs, found, change);
  return await viewJob(needs, found, wanted === undefined ? {} : { wanted });
}
