/** Jobs, tasks and explanations as lines that a person reads. */
import {
  type ExplainJobResponse,
  type ExplainTaskResponse,
  type Explanation,
  type Job,
  JobState,
  type Task,
  type TaskCounts,
  TaskState,
  WaitReason,
  type WatchJobResponse,
} from "@zfarm/contract";
import { formatTable } from "./terminal.ts";
import { remedyOf } from "./wait-remedies.ts";

export function describeJob(job: Job): string {
  const from = job.retryOf === "" ? "" : `, retry of ${job.retryOf}`;
  return `${job.name} ${nameOf(JobState, job.state)}: ${describeCounts(job.counts)}${from}`;
}

/** Undefined for an event that says nothing. */
export function describeEvent({ event }: WatchJobResponse): string | undefined {
  switch (event?.$case) {
    case "taskEnded":
      return describeTask(event.value);
    case "progress":
      return `${event.value.task} step ${event.value.step} of ${event.value.total}`;
    case "jobEnded":
      return describeJob(event.value);
    // Only commands that show pictures ask for them.
    case "preview":
    case undefined:
      return undefined;
  }
}

/** Which tasks wait for what, and what an operator can do about it. */
export function describeExplanations(
  job: string,
  { explanations, counts }: ExplainJobResponse,
  nowMs: number,
): string[] {
  const lines = [describeCounts(counts)];
  if (explanations.length === 0) {
    const why = (counts?.failed ?? 0) > 0 ? [`failed: zfarm job watch ${job} says why`] : [];
    return [...lines, "nothing waits", ...why];
  }
  const header = ["REASON", "TASKS", "STARTS", "WHY", "RELEASED BY"];
  const rows = explanations.map((each) => toRow(each, nowMs));
  const remedies = explanations.flatMap(({ reason }) => describeRemedy(reason, job));
  return [...lines, ...formatTable([header, ...rows]), ...remedies];
}

/** What one task does, and if it waits, why. */
export function describeTaskWait(
  job: string,
  { state, explanation }: Pick<ExplainTaskResponse, "state" | "explanation">,
  nowMs: number,
): string[] {
  const said = nameOf(TaskState, state);
  if (explanation === undefined) return [said];
  const [reason = "", , starts = "", why = "", release = ""] = toRow(explanation, nowMs);
  return [
    `${said}: ${reason}`,
    `why: ${why}`,
    `released by: ${release}`,
    `starts: ${starts}`,
    ...describeRemedy(explanation.reason, job),
  ];
}

function describeRemedy(reason: WaitReason, job: string): string[] {
  const remedy = remedyOf(reason, job);
  return remedy === undefined ? [] : [`${nameOf(WaitReason, reason)}: try ${remedy}`];
}

function toRow(explanation: Explanation, nowMs: number): string[] {
  const { reason, tasks, detail, release, missesDeadline } = explanation;
  const starts = describeStart(explanation.earliestStartTime, nowMs);
  const why = missesDeadline ? `${detail}; the deadline cannot be met` : detail;
  return [nameOf(WaitReason, reason), String(tasks), starts, why, release];
}

function describeStart(time: Date | undefined, nowMs: number): string {
  if (time === undefined) return "not by itself";
  const seconds = Math.round((time.getTime() - nowMs) / 1_000);
  if (seconds <= 0) return "now";
  if (seconds < 120) return `in ${seconds} s`;
  if (seconds < 7_200) return `in ${Math.round(seconds / 60)} min`;
  return `in ${Math.round(seconds / 3_600)} h`;
}

function describeTask(task: Task): string {
  const detail = task.image?.uri ?? task.failure?.message ?? "";
  return `${task.name} ${nameOf(TaskState, task.state)} ${detail}`.trimEnd();
}

function describeCounts(counts: TaskCounts | undefined): string {
  const entries = Object.entries(counts ?? {});
  return entries.map(([state, count]) => `${state} ${count}`).join(", ");
}

/** The lower-case name of a value of an enumeration. */
function nameOf(names: Readonly<Record<string, number>>, value: number): string {
  const found = Object.entries(names).find(([, number]) => number === value);
  return found?.[0].toLowerCase() ?? String(value);
}
