/** `zfarm project get|set NAME`: how a project shares the farm with others. */
import { parseArgs } from "node:util";
import { connectFarm } from "@zfarm/client";
import { limits, nameRule, type ProjectShare, parseProjectId, projectName } from "@zfarm/contract";
import type { CommandContext } from "../command.ts";
import { findAddress } from "../farm-note.ts";
import { parseWhole } from "../parse-whole.ts";
import { UsageError } from "../usage-error.ts";

const shareOptionTable = {
  weight: { type: "string" },
  guarantee: { type: "string" },
  burst: { type: "string" },
  "max-queued": { type: "string" },
} as const;

type RawShare = { readonly [Name in keyof typeof shareOptionTable]?: string | undefined };

export async function runProject(context: CommandContext): Promise<void> {
  const { values, positionals } = parseArgs({
    args: [...context.args],
    options: { address: { type: "string" }, ...shareOptionTable },
    allowPositionals: true,
  });
  const [verb = "", id = "", ...more] = positionals;
  if (!["get", "set"].includes(verb) || id === "" || more.length > 0) {
    throw new UsageError("project takes a verb and a name: zfarm project get|set NAME");
  }
  const name = parseName(id);
  const changes = parseShare(values);
  const isChange = Object.keys(changes).length > 0;
  if (isChange !== (verb === "set")) {
    const options = Object.keys(shareOptionTable).map((option) => `--${option}`);
    throw new UsageError(`project set, and only it, takes at least one of ${options.join(", ")}`);
  }
  const client = connectFarm({ address: await findAddress(values.address, context.env) });
  try {
    const share = await client.getProjectPolicy(name);
    const told = isChange ? await client.updateProjectPolicy({ ...share, ...changes }) : share;
    context.terminal.print(describeShare(told));
  } finally {
    client.close();
  }
}

function parseName(id: string): string {
  const project = parseProjectId(id.replace(/^projects\//, ""));
  if (project !== undefined) return projectName(project);
  throw new UsageError(`project ${id}: must be ${nameRule}`);
}

/** What was said, and no field that was not. */
function parseShare(raw: RawShare): Partial<ProjectShare> {
  const { projectWeightMax, projectRunningMax, queueTasksMax } = limits;
  const said = {
    weight: parseWhole("--weight", raw.weight, [1, projectWeightMax]),
    guaranteeTasks: parseWhole("--guarantee", raw.guarantee, [0, projectRunningMax]),
    burstTasks: parseWhole("--burst", raw.burst, [0, projectRunningMax]),
    queuedTasksMax: parseWhole("--max-queued", raw["max-queued"], [0, queueTasksMax]),
  };
  return Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined));
}

function describeShare(share: ProjectShare): string {
  const bound = (tasks: number): string => (tasks === 0 ? "unbounded" : String(tasks));
  const { name, weight, guaranteeTasks, burstTasks, queuedTasksMax } = share;
  const running = `guarantee ${guaranteeTasks}, burst ${bound(burstTasks)}`;
  return `${name}: weight ${weight}, ${running}, queued at most ${bound(queuedTasksMax)}`;
}
