/** `zfarm lora VERB`: adapters checked, added, listed, changed, removed and fetched ahead. */
import { parseArgs } from "node:util";
import { connectFarm, type FarmClient } from "@zfarm/client";
import { FarmError, limits, projectName } from "@zfarm/contract";
import { reportOf } from "@zfarm/gateway";
import { openModelDirectory } from "@zfarm/zimage";
import { inspectLora, loraArchitectureOf, ModelError, withFileSource } from "@zfarm/zimage/lora";
import type { CommandContext } from "../command.ts";
import { findAddress } from "../farm-note.ts";
import { fullLoraName, parsePairs, parseProject, parseUse } from "../lora-options.ts";
import { describeLora, describeLoras, describeReport, describeResidences } from "../lora-text.ts";
import { parseWhole } from "../parse-whole.ts";
import { UsageError } from "../usage-error.ts";

const optionTable = {
  address: { type: "string" },
  project: { type: "string" },
  pool: { type: "string" },
  name: { type: "string" },
  version: { type: "string" },
  "display-name": { type: "string" },
  label: { type: "string", multiple: true },
  word: { type: "string", multiple: true },
  pin: { type: "boolean" },
  model: { type: "string" },
  workers: { type: "string" },
} as const;

type LoraValues = ReturnType<typeof parseLine>["values"];

interface LoraCall extends CommandContext {
  readonly client: FarmClient;
  /** What follows the verb. */
  readonly names: readonly string[];
  readonly values: LoraValues;
}

interface Verb {
  /** What follows it, for the usage text; `...` where there may be more. */
  readonly takes: string;
  readonly options: readonly (keyof LoraValues)[];
  readonly run: (call: LoraCall) => Promise<void>;
}

const verbs: Readonly<Record<string, Verb>> = {
  add: {
    takes: "FILE",
    options: ["name", "version", "display-name", "label", "word", "pin", "pool", "project"],
    run: addLora,
  },
  check: { takes: "FILE", options: ["model", "pool"], run: checkLora },
  list: { takes: "", options: ["label", "project"], run: listLoras },
  show: { takes: "NAME", options: ["project"], run: showLora },
  rm: { takes: "NAME[@VERSION]", options: ["project"], run: removeLora },
  alias: { takes: "NAME ALIAS=VERSION...", options: ["project"], run: setAliases },
  pin: { takes: "NAME", options: ["project"], run: (call) => setPinned(call, true) },
  unpin: { takes: "NAME", options: ["project"], run: (call) => setPinned(call, false) },
  prefetch: {
    takes: "NAME[@VERSION]",
    options: ["pool", "project", "workers"],
    run: prefetchLora,
  },
  where: { takes: "NAME[@VERSION]", options: ["pool", "project"], run: showResidency },
};

export async function runLora(context: CommandContext): Promise<void> {
  const { values, positionals } = parseLine(context);
  const [verbName = "", ...names] = positionals;
  const verb = verbs[verbName];
  if (verb === undefined) {
    throw new UsageError(`lora takes a verb: zfarm lora ${Object.keys(verbs).join("|")}`);
  }
  const wanted = verb.takes === "" ? 0 : verb.takes.split(" ").length;
  const isOpen = verb.takes.endsWith("...");
  if (isOpen ? names.length < wanted - 1 : names.length !== wanted) {
    throw new UsageError(`usage: zfarm lora ${verbName} ${verb.takes}`.trimEnd());
  }
  const said = Object.keys(values) as (keyof LoraValues)[];
  const stray = said.find((each) => each !== "address" && !verb.options.includes(each));
  if (stray !== undefined) throw new UsageError(`lora ${verbName} takes no --${stray}`);
  const client = connectFarm({ address: await findAddress(values.address, context.env) });
  try {
    await verb.run({ ...context, client, names, values });
  } finally {
    client.close();
  }
}

function parseLine(context: CommandContext) {
  return parseArgs({ args: [...context.args], options: optionTable, allowPositionals: true });
}

async function addLora(call: LoraCall): Promise<void> {
  const { client, terminal, values, stop } = call;
  const { name: lora, version, pool, word: triggerWords } = values;
  if (lora === undefined) throw new UsageError("lora add takes --name NAME: what pictures call it");
  const labels = parsePairs("--label", values.label ?? []);
  const displayName = values["display-name"];
  const answer = await client.loras.upload(fileOf(call), {
    lora,
    parent: parentOf(call),
    labels,
    pinned: values.pin ?? false,
    signal: stop,
    onProgress: showProgress(call),
    ...(version === undefined ? {} : { version }),
    ...(pool === undefined ? {} : { pool }),
    ...(triggerWords === undefined ? {} : { triggerWords }),
    ...(displayName === undefined ? {} : { displayName }),
  });
  const { version: added } = answer;
  for (const line of describeReport(added?.sha256 ?? "", added?.report)) terminal.note(line);
  terminal.print(`${lora}@${added?.version}`);
}

/** Against a model on this machine where one is named, else by the farm. */
async function checkLora(call: LoraCall): Promise<void> {
  const { client, terminal, values, stop } = call;
  const { model, pool } = values;
  if (model !== undefined && pool !== undefined) {
    throw new UsageError("lora check takes --model DIR or --pool P, not both");
  }
  if (model !== undefined) {
    for (const line of await checkHere(fileOf(call), model)) terminal.print(line);
    return;
  }
  const onProgress = showProgress(call);
  const where = pool === undefined ? {} : { pool };
  const options = { signal: stop, onProgress, ...where };
  const { sha256, report } = await client.loras.check(fileOf(call), options);
  for (const line of describeReport(sha256, report)) terminal.print(line);
}

async function checkHere(file: string, modelDir: string): Promise<string[]> {
  const { transformer } = await openModelDirectory(modelDir);
  const architecture = loraArchitectureOf(transformer.config);
  try {
    const found = await withFileSource(file, (source) => inspectLora(source, architecture));
    return describeReport(found.digest, reportOf(found));
  } catch (error) {
    if (!(error instanceof ModelError)) throw error;
    throw new FarmError("LORA_REFUSED", error.message, { cause: error });
  }
}

async function listLoras(call: LoraCall): Promise<void> {
  const { client, terminal, values } = call;
  const labels = parsePairs("--label", values.label ?? []);
  const loras = await Array.fromAsync(client.loras.list({ parent: parentOf(call), labels }));
  for (const line of describeLoras(loras)) terminal.print(line);
}

async function showLora(call: LoraCall): Promise<void> {
  const lora = await call.client.loras.get(nameOf(call));
  for (const line of describeLora(lora)) call.terminal.print(line);
}

async function removeLora(call: LoraCall): Promise<void> {
  const [name = ""] = call.names;
  await call.client.loras.delete(fullLoraName(name, call.values.project, true));
}

/** Adds to the aliases that stand; one without a version goes. */
async function setAliases(call: LoraCall): Promise<void> {
  const { client, names } = call;
  const name = nameOf(call);
  const changes = parsePairs("alias", names.slice(1));
  const { aliases, etag } = await client.loras.get(name);
  const wanted = Object.entries({ ...Object.fromEntries(aliases), ...changes });
  const kept = Object.fromEntries(wanted.filter(([, version]) => version !== ""));
  const lora = await client.loras.update(name, { aliases: kept }, { etag });
  for (const line of describeLora(lora)) call.terminal.print(line);
}

async function setPinned(call: LoraCall, pinned: boolean): Promise<void> {
  const lora = await call.client.loras.update(nameOf(call), { pinned });
  for (const line of describeLoras([lora])) call.terminal.print(line);
}

async function prefetchLora(call: LoraCall): Promise<void> {
  const { client, terminal, values } = call;
  const workers = parseWhole("--workers", values.workers, [1, limits.prefetchWorkersMax]) ?? 1;
  const asked = await client.loras.prefetch(useOf(call), { ...placeOf(call), workers });
  terminal.note(`${asked.ready} workers had it`);
  for (const worker of asked.workers) terminal.print(worker.replace(/^workers\//, ""));
}

async function showResidency(call: LoraCall): Promise<void> {
  const residences = await call.client.loras.residency(useOf(call), placeOf(call));
  for (const line of describeResidences(residences)) call.terminal.print(line);
}

function fileOf({ names }: LoraCall): string {
  return names[0] ?? "";
}

function nameOf({ names, values }: LoraCall): string {
  return fullLoraName(names[0] ?? "", values.project);
}

function useOf({ names }: LoraCall): string {
  return parseUse(names[0] ?? "").lora;
}

function parentOf({ values }: LoraCall): string {
  return projectName(parseProject(values.project));
}

function placeOf(call: LoraCall): { readonly parent: string; readonly pool?: string } {
  const { pool } = call.values;
  return { parent: parentOf(call), ...(pool === undefined ? {} : { pool }) };
}

function showProgress({ terminal }: LoraCall): (sent: number, total: number | undefined) => void {
  return (sent, total = sent) => {
    const megabytes = (total / 1e6).toFixed(1);
    const percent = Math.floor((sent / Math.max(1, total)) * 100);
    terminal.progress(`sent ${percent} % of ${megabytes} MB`);
  };
}
