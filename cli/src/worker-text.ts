/** Workers as lines that a person reads. */
import {
  type GetWorkerResponse,
  LoraTier,
  type Victim,
  type Worker,
  type WorkerHost,
  WorkerState,
} from "@zfarm/contract";
import { ageText, bytesText, spanText } from "./amounts.ts";
import { enumName } from "./json-text.ts";
import { formatTable, showable } from "./terminal.ts";

export function describeWorkers(workers: readonly Worker[], nowMs: number): string[] {
  const header = [
    ["WORKER", "POOL", "STATE", "DEVICE", "MODEL", "RUNNING"],
    ["ADAPTERS", "NODE", "FREE MEMORY", "HEARD", "WHY"],
  ].flat();
  return formatTable([header, ...workers.map((worker) => toRow(worker, nowMs))]);
}

/** One worker with what it runs and what it holds. */
export function describeWorker(look: GetWorkerResponse, nowMs: number): string[] {
  const { worker, tasks, adapters } = look;
  if (worker === undefined) return [];
  const { model, modelDigest, device, slots, running, host } = worker;
  const facts = formatTable([
    ["worker", shortName(worker)],
    ["state", [stateName(worker), whyOf(worker, nowMs)].filter((text) => text !== "").join(": ")],
    ["pool", worker.pool],
    ["device", device],
    ["model", `${model}, digest ${modelDigest.slice(0, 12)}`],
    ["node", host?.node ?? "-"],
    ["memory", describeMemory(host)],
    ["running", `${running} of ${slots}`],
    ["heard", `${ageText(worker.heartbeatTime, nowMs)} ago`],
  ]);
  const taskRows = tasks.map(({ name, attempt, step, steps, grantTime }) => [
    name,
    String(attempt),
    `${step} of ${steps}`,
    ageText(grantTime, nowMs),
  ]);
  const adapterRows = adapters.map(({ digest, sizeBytes, tier }) => [
    digest.slice(0, 12),
    bytesText(sizeBytes),
    enumName(LoraTier, tier),
  ]);
  return [
    ...facts,
    ...tableOf(["TASK", "ATTEMPT", "STEP", "SINCE"], taskRows),
    ...tableOf(["ADAPTER", "SIZE", "WHERE"], adapterRows),
  ];
}

export function describeVictims(victims: readonly Victim[]): string[] {
  const header = ["WORKER", "WHY", "WORK LEFT", "WARM"];
  const rows = victims.map(({ worker, reason, workLeftSeconds, warmBytes }) => [
    worker.replace(/^workers\//, ""),
    reason,
    spanText(workLeftSeconds),
    bytesText(warmBytes),
  ]);
  return formatTable([header, ...rows]);
}

export function shortName({ name }: Pick<Worker, "name">): string {
  return name.replace(/^workers\//, "");
}

export function stateName({ state }: Pick<Worker, "state">): string {
  return enumName(WorkerState, state);
}

/** Why it gets nothing new; empty where it does. */
export function whyOf({ quarantine, lock }: Worker, nowMs: number): string {
  const said: string[] = [];
  if (quarantine !== undefined) {
    const { cause, endTime, note = "" } = quarantine;
    const seconds = ((endTime?.getTime() ?? 0) - nowMs) / 1_000;
    const end = endTime === undefined ? "until forgiven" : `for ${spanText(seconds)}`;
    said.push(`${note === "" ? cause : note}, ${end}`);
  }
  if (lock !== undefined) {
    const reason = lock.reason === "" ? "" : ` (${lock.reason})`;
    said.push(`locked ${ageText(lock.lockTime, nowMs)} ago${reason}`);
  }
  return showable(said.join("; "));
}

/** On the device, in RAM, on disk. */
export function describeShelf({ shelf }: Pick<Worker, "shelf">): string {
  return shelf === undefined ? "-" : `${shelf.onDevice}/${shelf.inRam}/${shelf.onDisk}`;
}

function toRow(worker: Worker, nowMs: number): string[] {
  const { pool, device, model, running, slots, host, heartbeatTime } = worker;
  return [
    shortName(worker),
    pool,
    stateName(worker),
    device,
    model,
    `${running}/${slots}`,
    describeShelf(worker),
    host?.node ?? "-",
    host === undefined ? "-" : bytesText(host.memoryFreeBytes),
    ageText(heartbeatTime, nowMs),
    whyOf(worker, nowMs),
  ];
}

function describeMemory(host: WorkerHost | undefined): string {
  if (host === undefined) return "-";
  return `${bytesText(host.memoryFreeBytes)} free of ${bytesText(host.memoryBytes)}`;
}

/** Nothing where there are no rows. */
function tableOf(header: readonly string[], rows: readonly (readonly string[])[]): string[] {
  return rows.length === 0 ? [] : ["", ...formatTable([header, ...rows])];
}
