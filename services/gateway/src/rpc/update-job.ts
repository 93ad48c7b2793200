/** JobService.UpdateJob: changes how the job competes, if it is still what the caller saw. */

import { isDeepStrictEqual } from "node:util";
import {
  FarmError,
  type JobControl,
  limits,
  type Scheduling,
  UpdateJobRequest,
  type UpdateJobResponse,
} from "@zfarm/contract";
import { etagOf, schedulingOf } from "../domain/job-state.ts";
import { applyMask, readMask } from "../domain/scheduling-mask.ts";
import { checkScheduling, fillScheduling, noScheduling } from "../domain/scheduling-rules.ts";
import { Violations } from "../domain/violations.ts";
import { changeControl } from "./change-control.ts";
import { decodeRequest } from "./decode.ts";
import { type FoundJob, findJob, viewJob } from "./job-lookup.ts";
import type { UnaryMethod } from "./serve-call.ts";

export const updateJob: UnaryMethod<UpdateJobRequest, UpdateJobResponse> = {
  name: "UpdateJob",
  decode: (bytes) => decodeRequest(UpdateJobRequest, bytes),
  deadlineMs: limits.readMs,
  drain: "finish",
  abort: "answer",
  run: async (request, scope, needs) => {
    const { etag = "", name = "" } = request.job ?? {};
    const found = await findJob(needs, name, "job.name");
    scope.note({ job_id: found.ref.job });
    const update = readUpdate(request, found, needs.clock.now());
    const wanted = await changeControl(needs, found, (control, standing) => {
      const scheduling = update(schedulingOf(found.record, control));
      const changed: JobControl = { ...control, scheduling };
      // A repeated call finds its own change behind an etag that it could not know.
      const isDone = isDeepStrictEqual(changed, control);
      if (isDone || etag === "" || etag === etagOf(standing)) return changed;
      throw new FarmError("CONFLICT", "the job has changed since this etag; look at it again");
    });
    return { job: await viewJob(needs, found, wanted === undefined ? {} : { wanted }) };
  },
};

/** What the request makes of a scheduling; INVALID_REQUEST with all that is wrong with it. */
function readUpdate(
  request: UpdateJobRequest,
  { record }: FoundJob,
  nowMs: number,
): (scheduling: Scheduling) => Scheduling {
  const violations = new Violations();
  const fields = readMask(request.updateMask, violations);
  // What the mask leaves out is not looked at: a client may send back the job as it got it.
  const changes = applyMask(noScheduling, request.job?.scheduling ?? noScheduling, fields);
  const place = { path: "job.scheduling", tasks: record.taskCount, nowMs };
  checkScheduling(changes, place, violations);
  if (violations.count > 0) throw violations.toError();
  const filled = fillScheduling(changes, "images");
  return (scheduling) => applyMask(scheduling, filled, fields);
}
