/** `zfarm workers`: who renders and what each is doing; drains, forgives, names victims. */
import { parseArgs } from "node:util";
import { connectFarm, type FarmClient } from "@zfarm/client";
import { limits, parseFleetName, type Victim, type Worker, WorkerState } from "@zfarm/contract";
import type { CommandContext } from "../command.ts";
import { findAddress } from "../farm-note.ts";
import { parseWhole } from "../parse-whole.ts";
import { formatTable, type Terminal } from "../terminal.ts";
import { UsageError } from "../usage-error.ts";

interface WorkersCall {
  readonly client: FarmClient;
  readonly terminal: Terminal;
  /** What follows the verb; empty where nothing does. */
  readonly name: string;
  readonly values: { readonly pool: string; readonly count?: string | undefined };
}

/** The verb, and whether it takes a name. */
const verbs: Readonly<Record<string, { readonly takesName: boolean; run: Verb }>> = {
  list: { takesName: false, run: listWorkers },
  drain: { takesName: true, run: ({ client, name }) => client.drain(fullName(name)) },
  resume: { takesName: true, run: ({ client, name }) => client.resume(fullName(name)) },
  forgive: { takesName: true, run: ({ client, name }) => client.forgiveWorker(fullName(name)) },
  victims: { takesName: false, run: listVictims },
};

type Verb = (call: WorkersCall) => Promise<void>;

const stateNames = new Map<number, string>(
  Object.entries(WorkerState).map(([name, value]) => [value, name.toLowerCase()]),
);

export async function runWorkers(context: CommandContext): Promise<void> {
  const { values, positionals } = parseArgs({
    args: [...context.args],
    options: {
      address: { type: "string" },
      pool: { type: "string", default: "" },
      count: { type: "string" },
    },
    allowPositionals: true,
  });
  const [verbName = "list", name = "", ...more] = positionals;
  const verb = verbs[verbName];
  if (verb === undefined || more.length > 0 || (name !== "") !== verb.takesName) {
    throw new UsageError("workers takes list, victims, or drain|resume|forgive NAME");
  }
  const client = connectFarm({ address: await findAddress(values.address, context.env) });
  try {
    await verb.run({ client, terminal: context.terminal, name, values });
  } finally {
    client.close();
  }
}

/** Accepts the bare name of a worker, workers/NAME, or pools/NAME. */
function fullName(name: string): string {
  const full = name.includes("/") ? name : `workers/${name}`;
  if (parseFleetName(full) !== undefined) return full;
  throw new UsageError(`workers ${name}: must be the name of a worker, or pools/NAME`);
}

async function listWorkers({ client, terminal, values }: WorkersCall): Promise<void> {
  const workers = await client.listWorkers({ pool: values.pool });
  const header = ["WORKER", "POOL", "STATE", "DEVICE", "MODEL", "RUNNING"];
  for (const line of formatTable([header, ...workers.map(toRow)])) terminal.print(line);
}

async function listVictims({ client, terminal, values }: WorkersCall): Promise<void> {
  const count = parseWhole("--count", values.count, [1, limits.victimsMax]) ?? 1;
  const victims = await client.listVictims({ pool: values.pool, count });
  const header = ["WORKER", "WHY", "WORK LEFT", "WARM"];
  for (const line of formatTable([header, ...victims.map(toVictimRow)])) terminal.print(line);
}

function toVictimRow({ worker, reason, workLeftSeconds, warmBytes }: Victim): string[] {
  const warmMegabytes = Math.round(Number(warmBytes) / 1e6);
  const name = worker.replace(/^workers\//, "");
  return [name, reason, `${Math.round(workLeftSeconds)} s`, `${warmMegabytes} MB`];
}

function toRow(worker: Worker): string[] {
  const { quarantine } = worker;
  const until = quarantine?.endTime?.toISOString() ?? "forgiven";
  const held = quarantine === undefined ? "" : ` (${quarantine.cause}, until ${until})`;
  return [
    worker.name.replace(/^workers\//, ""),
    worker.pool,
    (stateNames.get(worker.state) ?? String(worker.state)) + held,
    worker.device,
    worker.model,
    `${worker.running}/${worker.slots}`,
  ];
}
