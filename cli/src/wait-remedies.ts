/** What to type about a task that waits: the command for each reason that somebody can end. */
import { parseJobName, WaitReason } from "@zfarm/contract";

/** For a job's full name; a reason that ends by itself has none. */
export function remedyOf(reason: WaitReason, job: string): string | undefined {
  const project = parseJobName(job)?.project;
  const share = `zfarm project set ${project ?? "NAME"}`;
  switch (reason) {
    case WaitReason.NO_WORKERS:
      return "zfarm pools, zfarm top: whether the autoscaler brings workers; else start one";
    case WaitReason.DRAINING:
      return "zfarm workers, then zfarm workers resume NAME or unlock NAME";
    case WaitReason.QUARANTINED:
      return "zfarm workers --state quarantined, then zfarm workers forgive NAME";
    case WaitReason.FAIR_SHARE:
      return `zfarm queue, then ${share} --weight N`;
    case WaitReason.PROJECT_LIMIT:
      return `${share} --burst N`;
    case WaitReason.CAPACITY:
      return `zfarm queue, then zfarm job update ${job} --priority N`;
    case WaitReason.JOB_LIMIT:
      return `zfarm job update ${job} --max-concurrency N`;
    case WaitReason.JOB_PAUSED:
      return `zfarm job resume ${job}`;
    case WaitReason.AWAITING_APPROVAL:
      return `zfarm job approve ${job}`;
    default:
      return undefined;
  }
}
