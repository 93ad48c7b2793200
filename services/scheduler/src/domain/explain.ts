/** Says why tasks wait in words that an operator can act on, and when the first may start. */
import { type Explanation, type JobRef, limits, WaitReason } from "@zfarm/contract";
import { makesDeadline } from "./choose-grant.ts";
import { earliestStart } from "./earliest-start.ts";
import { type FarmState, jobKey } from "./farm-state.ts";
import type { PoolEntry } from "./pool-entry.ts";
import { describeCapacity, describeDrain, describeQuarantine, type Words } from "./pool-words.ts";
import type { TaskEntry } from "./task-entry.ts";
import { reasonOfTask } from "./wait-reason.ts";

/** Of one task, or of all tasks of the job that wait, the largest group first. */
export function explain(state: FarmState, job: JobRef, index?: number): Explanation[] {
  const entry = state.jobs.get(jobKey(job));
  const asked = index === undefined ? (entry?.tasks ?? []) : [entry?.tasks[index]];
  const groups = new Map<WaitReason, TaskEntry[]>();
  for (const task of asked) {
    if (task?.state !== "queued") continue;
    const reason = reasonOfTask(state, task);
    const group = groups.get(reason);
    if (group === undefined) groups.set(reason, [task]);
    else group.push(task);
  }
  return [...groups]
    .toSorted(([, one], [, other]) => other.length - one.length)
    .map(([reason, tasks]) => describeGroup(state, reason, tasks));
}

function describeGroup(
  state: FarmState,
  reason: WaitReason,
  tasks: readonly TaskEntry[],
): Explanation {
  const [first] = tasks as [TaskEntry];
  const { detail, release } = wordsFor(state, reason, first);
  const startsAt = earliestStart(state, reason, first);
  return {
    reason,
    tasks: tasks.length,
    detail,
    release,
    earliestStartTime: startsAt === undefined ? undefined : new Date(startsAt),
    missesDeadline: tasks.some(({ lot }) => !makesDeadline(state, lot)),
  };
}

/** Numbers first: what is so, then what would change it. */
function wordsFor(state: FarmState, reason: WaitReason, entry: TaskEntry): Words {
  const { pool, project } = entry.job;
  switch (reason) {
    case WaitReason.NO_WORKERS:
      return {
        detail: `pool ${pool.id} has no worker`,
        release: `a worker of pool ${pool.id} starts`,
      };
    case WaitReason.DRAINING:
      return describeDrain(pool);
    case WaitReason.QUARANTINED:
      return describeQuarantine(state, pool);
    case WaitReason.FAIR_SHARE:
      return describeShare(pool, entry);
    case WaitReason.PROJECT_LIMIT:
      return {
        detail: `project ${project.id} runs ${project.running} of at most ${project.burst} tasks`,
        release: "one of them ends, or a larger burst_tasks of the project",
      };
    case WaitReason.CAPACITY:
      return describeCapacity(state, pool, entry.lot);
    default:
      return wordsForJob(state, reason, entry);
  }
}

/** What keeps back this job or this task alone. */
function wordsForJob(state: FarmState, reason: WaitReason, entry: TaskEntry): Words {
  const { job, lot, trial } = entry;
  switch (reason) {
    case WaitReason.JOB_LIMIT:
      return {
        detail: `the job runs ${job.running} of at most ${job.runningMax} tasks`,
        release: "one of them ends, or a larger max_concurrency (UpdateJob)",
      };
    case WaitReason.JOB_PAUSED:
      return job.control === undefined
        ? { detail: "the job's control record is not known yet", release: "it arrives" }
        : { detail: "the job is paused", release: "ResumeJob" };
    case WaitReason.AWAITING_APPROVAL:
      return {
        detail: `only the first ${job.scheduling?.sampleTasks} tasks run before approval`,
        release: "ApproveJob",
      };
    case WaitReason.BACK_OFF: {
      const seconds = Math.ceil(((trial?.turnTimer.at ?? state.now) - state.now) / 1_000);
      const why = trial?.backOffReason ?? "a fault of others";
      return {
        detail: `handed back ${trial?.handBacks} times after ${why}; tried again in ${seconds} s`,
        release: "the delay ends",
      };
    }
    case WaitReason.SUSPECTED:
      return describeSuspicion(entry);
    case WaitReason.LORA_AFFINITY:
      return {
        detail: `${lot.adapters.length} adapters are on a worker that should be free soon`,
        release: "that worker asks, or the bounded wait ends",
      };
    case WaitReason.BATCH_FORMING:
      return {
        detail: `more tasks of ${lot.shape} are arriving`,
        release: `a full batch, or ${limits.batchHoldMs} ms`,
      };
    case WaitReason.LEADER_CHANGE: {
      if (state.now >= state.grantsUntil) {
        const detail = "the leader's lease is about to end";
        return { detail, release: "the broker renews it, or another leader takes over" };
      }
      const ms = Math.max(0, state.grantsFrom - state.now);
      const wait = Number.isFinite(ms) ? `grants in ${ms} ms` : "reads the queue";
      return { detail: `a new leader ${wait}`, release: "it has heard the workers" };
    }
    case WaitReason.ENDING:
      return { detail: "it has ended; its outcome is being stored", release: "the broker" };
    default:
      return { detail: "a worker is about to get it", release: "nothing more is needed" };
  }
}

function describeSuspicion({ job, trial }: TaskEntry): Words {
  const crashes = trial?.crashes.crashes ?? 0;
  if (crashes > 0) {
    const where = trial?.crashes.workers.join(", ");
    return {
      detail: `${crashes} of at most ${limits.poisonCrashes} crashes under it, on ${where}`,
      release: "a worker where it has not crashed yet has a free moment: it runs alone",
    };
  }
  const max = limits.projectCrashesPerHourMax;
  return {
    detail: `project ${job.project.id} had more than ${max} crashes within an hour`,
    release: "its one running task ends; the crashes grow old",
  };
}

function describeShare(pool: PoolEntry, { job: { project } }: TaskEntry): Words {
  const others = pool.line.size - pool.line.lineOf(project).waiting;
  const share = `project ${project.id} runs ${project.running} tasks and has had its share`;
  return {
    detail: `${share}; ${others} tasks of other projects wait`,
    release: "other projects catch up, a larger weight, or more workers",
  };
}
