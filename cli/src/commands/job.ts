/** `zfarm job VERB ID`: one job, seen, followed, changed, explained or ended. */
import { parseArgs } from "node:util";
import { connectFarm, type FarmClient } from "@zfarm/client";
import {
  defaultProject,
  type Job,
  jobName,
  limits,
  parseJobId,
  parseJobName,
} from "@zfarm/contract";
import type { CommandContext } from "../command.ts";
import { findAddress } from "../farm-note.ts";
import { describeEvent, describeExplanations, describeJob, describeTaskWait } from "../job-text.ts";
import { parseWhole } from "../parse-whole.ts";
import { parseScheduling, schedulingOptionTable } from "../scheduling-options.ts";
import { UsageError } from "../usage-error.ts";

interface JobCall extends CommandContext {
  readonly client: FarmClient;
  /** The job's full name. */
  readonly name: string;
  readonly values: JobValues;
}

type Verb = (call: JobCall) => Promise<void>;

const verbs: Readonly<Record<string, Verb>> = {
  get: (call) => show(call, call.client.getJob(call.name)),
  watch: watchJob,
  cancel: (call) => show(call, call.client.cancelJob(call.name)),
  pause: (call) => show(call, call.client.pauseJob(call.name)),
  resume: (call) => show(call, call.client.resumeJob(call.name)),
  approve: (call) => show(call, call.client.approveJob(call.name)),
  retry: (call) => show(call, call.client.retryJob(call.name)),
  update: updateJob,
  explain: explainJob,
};

const optionTable = {
  address: { type: "string" },
  ...schedulingOptionTable,
  etag: { type: "string" },
  task: { type: "string" },
} as const;

type JobValues = { readonly [Name in keyof typeof optionTable]?: string | undefined };

/** Which verbs the options other than the address belong to. */
const verbsOfOption: Readonly<Record<string, string>> = {
  ...Object.fromEntries(Object.keys(schedulingOptionTable).map((option) => [option, "update"])),
  etag: "update",
  task: "explain",
};

export async function runJob(context: CommandContext): Promise<void> {
  const { values, positionals } = parseArgs({
    args: [...context.args],
    options: optionTable,
    allowPositionals: true,
  });
  const [verbName = "", id = "", ...more] = positionals;
  const verb = verbs[verbName];
  if (verb === undefined || id === "" || more.length > 0) {
    const known = Object.keys(verbs).join("|");
    throw new UsageError(`job takes a verb and an id: zfarm job ${known} ID`);
  }
  const stray = Object.keys(values).find(
    (option) => (verbsOfOption[option] ?? verbName) !== verbName,
  );
  if (stray !== undefined) {
    throw new UsageError(`--${stray} belongs to zfarm job ${verbsOfOption[stray]}`);
  }
  const name = parseName(id);
  const client = connectFarm({ address: await findAddress(values.address, context.env) });
  try {
    await verb({ ...context, client, name, values });
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

async function show({ terminal }: JobCall, asking: Promise<Job>): Promise<void> {
  terminal.print(describeJob(await asking));
}

async function watchJob({ client, name, stop, terminal }: JobCall): Promise<void> {
  for await (const event of client.watchJob(name, { signal: stop })) {
    const line = describeEvent(event);
    if (line !== undefined) terminal.print(line);
  }
}

async function updateJob(call: JobCall): Promise<void> {
  const { client, name, values } = call;
  const changes = parseScheduling(values, Date.now());
  if (Object.keys(changes).length === 0) {
    const options = Object.keys(schedulingOptionTable).map((option) => `--${option}`);
    throw new UsageError(`job update takes at least one of ${options.join(", ")}`);
  }
  const options = values.etag === undefined ? {} : { etag: values.etag };
  await show(call, client.updateJob(name, changes, options));
}

async function explainJob({ client, name, values, terminal }: JobCall): Promise<void> {
  const index = parseWhole("--task", values.task, [0, limits.tasksPerJobMax - 1]);
  const lines =
    index === undefined
      ? describeExplanations(name, await client.explainJob(name), Date.now())
      : describeTaskWait(name, await client.explainTask(`${name}/tasks/${index}`), Date.now());
  for (const line of lines) terminal.print(line);
}
