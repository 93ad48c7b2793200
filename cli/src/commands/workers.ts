/** `zfarm workers`: who renders and what each is doing; who is to go, to stay, to be put aside. */
import { parseArgs } from "node:util";
import { connectFarm, type FarmClient } from "@zfarm/client";
import { limits, parseFleetName, WorkerState } from "@zfarm/contract";
import type { CommandContext } from "../command.ts";
import { findAddress } from "../farm-note.ts";
import { jsonLine } from "../json-text.ts";
import { parseWhile } from "../parse-while.ts";
import { parseWhole } from "../parse-whole.ts";
import type { Terminal } from "../terminal.ts";
import { UsageError } from "../usage-error.ts";
import { describeVictims, describeWorker, describeWorkers, stateName } from "../worker-text.ts";

const optionTable = {
  address: { type: "string" },
  pool: { type: "string", default: "" },
  state: { type: "string" },
  count: { type: "string" },
  reason: { type: "string", default: "" },
  for: { type: "string" },
  json: { type: "boolean", default: false },
} as const;

interface WorkersCall {
  readonly client: FarmClient;
  readonly terminal: Terminal;
  /** What follows the verb; empty where nothing does. */
  readonly name: string;
  readonly values: {
    readonly pool: string;
    readonly state?: string | undefined;
    readonly count?: string | undefined;
    readonly reason: string;
    readonly for?: string | undefined;
    readonly json: boolean;
  };
}

type Verb = (call: WorkersCall) => Promise<void>;

interface VerbRow {
  readonly takesName: boolean;
  /** Beside the address. */
  readonly options: readonly (keyof typeof optionTable)[];
  readonly run: Verb;
}

const verbs: Readonly<Record<string, VerbRow>> = {
  list: { takesName: false, options: ["pool", "state", "json"], run: listWorkers },
  show: { takesName: true, options: ["json"], run: showWorker },
  drain: byName(({ client, name }) => client.drain(fullName(name))),
  resume: byName(({ client, name }) => client.resume(fullName(name))),
  lock: {
    takesName: true,
    options: ["reason"],
    run: ({ client, name, values }) => client.lockWorker(fullName(name), values),
  },
  unlock: byName(({ client, name }) => client.unlockWorker(fullName(name))),
  quarantine: { takesName: true, options: ["reason", "for"], run: quarantineWorker },
  forgive: byName(({ client, name }) => client.forgiveWorker(fullName(name))),
  victims: { takesName: false, options: ["pool", "count", "json"], run: listVictims },
};

const usage =
  "workers takes list, victims, or show|drain|resume|lock|unlock|quarantine|forgive NAME";

export async function runWorkers(context: CommandContext): Promise<void> {
  const { values, positionals, tokens } = parseArgs({
    args: [...context.args],
    options: optionTable,
    allowPositionals: true,
    tokens: true,
  });
  const [verbName = "list", name = "", ...more] = positionals;
  const verb = verbs[verbName];
  if (verb === undefined || more.length > 0 || (name !== "") !== verb.takesName) {
    throw new UsageError(usage);
  }
  for (const token of tokens) {
    if (token.kind !== "option" || token.name === "address") continue;
    if (verb.options.some((option) => option === token.name)) continue;
    throw new UsageError(`--${token.name} does not belong to zfarm workers ${verbName}`);
  }
  const client = connectFarm({ address: await findAddress(values.address, context.env) });
  try {
    await verb.run({ client, terminal: context.terminal, name, values });
  } finally {
    client.close();
  }
}

function byName(run: Verb): VerbRow {
  return { takesName: true, options: [], run };
}

/** Accepts the bare name of a worker, workers/NAME, or pools/NAME. */
function fullName(name: string): string {
  const full = name.includes("/") ? name : `workers/${name}`;
  if (parseFleetName(full) !== undefined) return full;
  throw new UsageError(`workers ${name}: must be the name of a worker, or pools/NAME`);
}

async function listWorkers({ client, terminal, values }: WorkersCall): Promise<void> {
  const state = parseState(values.state);
  const workers = await client.listWorkers({ pool: values.pool, state });
  const lines = values.json
    ? workers.map((worker) => jsonLine({ ...worker, state: stateName(worker) }))
    : describeWorkers(workers, Date.now());
  for (const line of lines) terminal.print(line);
}

async function showWorker({ client, terminal, name, values }: WorkersCall): Promise<void> {
  const look = await client.getWorker(fullName(name));
  const worker = look.worker && { ...look.worker, state: stateName(look.worker) };
  const lines = values.json ? [jsonLine({ ...look, worker })] : describeWorker(look, Date.now());
  for (const line of lines) terminal.print(line);
}

async function quarantineWorker({ client, name, values }: WorkersCall): Promise<void> {
  const { reason } = values;
  if (reason.trim() === "") throw new UsageError("workers quarantine takes --reason TEXT");
  await client.quarantineWorker(fullName(name), { reason, endTime: parseEnd(values.for) });
}

async function listVictims({ client, terminal, values }: WorkersCall): Promise<void> {
  const count = parseWhole("--count", values.count, [1, limits.victimsMax]) ?? 1;
  const victims = await client.listVictims({ pool: values.pool, count });
  const lines = values.json ? victims.map(jsonLine) : describeVictims(victims);
  for (const line of lines) terminal.print(line);
}

function parseState(text: string | undefined): WorkerState | undefined {
  if (text === undefined) return undefined;
  const known = Object.values(WorkerState).filter((state) => state > 0);
  const found = known.find((state) => stateName({ state }) === text);
  if (found !== undefined) return found;
  const choices = known.map((state) => stateName({ state })).join(", ");
  throw new UsageError(`--state ${text}: must be ${choices}`);
}

function parseEnd(text: string | undefined): Date | undefined {
  if (text === undefined) return undefined;
  const ms = parseWhile(text);
  if (ms !== undefined && ms > 0 && ms <= limits.handQuarantineMsMax) {
    return new Date(Date.now() + ms);
  }
  throw new UsageError(`--for ${text}: must be a while like 90s, 30m, 2h or 3d, at most 30d`);
}
