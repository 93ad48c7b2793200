/** `zfarm job get|watch|cancel ID`: one job, seen, followed or ended. */
import { parseArgs } from "node:util";
import { connectFarm, type FarmClient } from "@zfarm/client";
import {
  defaultProject,
  type Job,
  JobState,
  jobName,
  parseJobId,
  parseJobName,
  type Task,
  TaskState,
  type WatchJobResponse,
} from "@zfarm/contract";
import type { CommandContext } from "../command.ts";
import { findAddress } from "../farm-note.ts";
import { UsageError } from "../usage-error.ts";

type Verb = (client: FarmClient, name: string, context: CommandContext) => Promise<void>;

const verbs: Readonly<Record<string, Verb>> = { get: getJob, watch: watchJob, cancel: cancelJob };

export async function runJob(context: CommandContext): Promise<void> {
  const { values, positionals } = parseArgs({
    args: [...context.args],
    options: { address: { type: "string" } },
    allowPositionals: true,
  });
  const [verbName = "", id = "", ...more] = positionals;
  const verb = verbs[verbName];
  if (verb === undefined || id === "" || more.length > 0) {
    throw new UsageError("job takes a verb and an id: zfarm job get|watch|cancel ID");
  }
  const name = parseName(id);
  const client = connectFarm({ address: await findAddress(values.address, context.env) });
  try {
    await verb(client, name, context);
  } finally {
    client.close();
  }
}

/** Accepts a full name, or the bare id of a job of the default project. */
function parseName(id: string): string {
  const job = parseJobId(id);
  if (job !== undefined) return jobName({ project: defaultProject, job });
  if (parseJobName(id) !== undefined) return id;
  throw new UsageError(`job ${id}: must be an id of 26 of a-z 2-7, or projects/P/jobs/ID`);
}

async function getJob(client: FarmClient, name: string, context: CommandContext): Promise<void> {
  context.terminal.print(describeJob(await client.getJob(name)));
}

async function cancelJob(client: FarmClient, name: string, context: CommandContext): Promise<void> {
  context.terminal.print(describeJob(await client.cancelJob(name)));
}

async function watchJob(client: FarmClient, name: string, context: CommandContext): Promise<void> {
  for await (const event of client.watchJob(name, { signal: context.stop })) {
    const line = describeEvent(event);
    if (line !== undefined) context.terminal.print(line);
  }
}

function describeEvent({ event }: WatchJobResponse): string | undefined {
  switch (event?.$case) {
    case "taskEnded":
      return describeTask(event.value);
    case "progress":
      return `${event.value.task} step ${event.value.step} of ${event.value.total}`;
    case "jobEnded":
      return describeJob(event.value);
    case undefined:
      return undefined;
  }
}

function describeTask(task: Task): string {
  const detail = task.image?.uri ?? task.failure?.message ?? "";
  return `${task.name} ${nameOf(TaskState, task.state)} ${detail}`.trimEnd();
}

function describeJob(job: Job): string {
  const counts = Object.entries(job.counts ?? {}).map(([state, count]) => `${state} ${count}`);
  return `${job.name} ${nameOf(JobState, job.state)}: ${counts.join(", ")}`;
}

function nameOf(states: Readonly<Record<string, number>>, value: number): string {
  const found = Object.entries(states).find(([, number]) => number === value);
  return found?.[0].toLowerCase() ?? String(value);
}
