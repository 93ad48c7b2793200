/** Changes what is wanted of a job: reads, decides, writes, and looks again where others wrote. */
import { isDeepStrictEqual } from "node:util";
import { FarmError, type JobControl, jobName, limits } from "@zfarm/contract";
import type { Wanted } from "../domain/job-state.ts";
import type { GatewayNeeds } from "../needs.ts";
import { type FoundJob, isEnded } from "./job-lookup.ts";

type ControlNeeds = Pick<GatewayNeeds, "broker" | "manifests">;

/**
 * What is wanted of the job after `change`; nothing is written where that changes nothing, so a
 * repeated call is harmless. JOB_ENDED, CONFLICT, and what `change` throws.
 */
export async function changeControl(
  { broker, manifests }: ControlNeeds,
  found: FoundJob,
  change: (control: JobControl, wanted: Wanted | undefined) => JobControl,
): Promise<Wanted | undefined> {
  await requireLive(broker, found);
  for (let attempt = 1; attempt <= limits.wishTriesMax; attempt += 1) {
    const standing = await broker.controls.find(found.ref);
    const control = standing?.control ?? createdControl(found);
    const changed = change(control, standing);
    if (isDeepStrictEqual(changed, control)) return standing;
    // First: what was answered must outlive the broker where jobs do.
    await manifests?.keepControl(changed);
    const revision = await broker.controls.put(changed, standing?.revision ?? 0n);
    if (revision !== "conflict") return { control: changed, revision };
  }
  throw new FarmError("CONFLICT", "others keep changing the job; look at it and try again");
}

/** A job as it was created, which nobody paused or changed yet. */
function createdControl({ ref, record }: FoundJob): JobControl {
  const { scheduling } = record;
  return { ...ref, scheduling, paused: false, approved: false };
}

async function requireLive(
  broker: ControlNeeds["broker"],
  { ref, record }: FoundJob,
): Promise<void> {
  if (!isEnded(record, await broker.outcomes.list(ref))) return;
  throw new FarmError("JOB_ENDED", `job ${jobName(ref)} has ended; nothing of it can change`);
}
