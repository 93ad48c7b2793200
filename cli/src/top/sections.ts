/** The parts of the picture as tables, and which of their rows need a look. */
import { type PoolQueue, type Worker, WorkerState } from "@zfarm/contract";
import { ageText, percentText, spanText } from "../amounts.ts";
import {
  describeReasons,
  projectHeader,
  projectRows,
  queueHeader,
  queueRows,
} from "../queue-text.ts";
import { formatTable, showable } from "../terminal.ts";
import { describeShelf, shortName, stateName, whyOf } from "../worker-text.ts";
import type { FarmPicture } from "./farm-picture.ts";

export type Tone = "title" | "heading" | "plain" | "warn" | "bad";

export interface Line {
  readonly text: string;
  readonly tone: Tone;
}

export interface Section {
  readonly title: string;
  /** The first one heads the others. */
  readonly lines: readonly Line[];
}

/** A worker that has said nothing for so long is about to be given up. */
const silentMs = 5_000;

/** Those that have something to show, the most asked for first. */
export function sectionsOf(picture: FarmPicture): Section[] {
  const { queues, workers, readAt } = picture;
  const all = [
    tableOf("pools", poolHeader, poolRows(picture)),
    tableOf(`autoscaler (${picture.actuator})`, scalingHeader, scalingRows(picture)),
    tableOf("queue", queueHeader, queues.flatMap(toQueueRows)),
    reasonsOf(queues),
    tableOf("projects", projectHeader, queues.flatMap(projectRows).map(plainRow)),
    tableOf(
      "workers",
      workerHeader,
      workersByNeed(workers).map((each) => toRow(each, readAt)),
    ),
  ];
  return all.filter(({ lines }) => lines.length > 0);
}

interface Row {
  readonly cells: readonly string[];
  readonly tone: Tone;
}

const poolHeader = [
  "POOL",
  "WORKERS",
  "READY",
  "BUSY",
  "ASIDE",
  "SLOTS",
  "IN USE",
  "COLD",
  "MODEL",
];

function poolRows({ pools, queues, workers }: FarmPicture): Row[] {
  const names = [...pools.map(({ name }) => name), ...queues.map(({ pool }) => pool)];
  return [...new Set(names)].toSorted().map((name) => {
    const id = name.replace(/^pools\//, "");
    const pool = pools.find((each) => each.name === name);
    const queue = queues.find((each) => each.pool === name);
    const own = workers.filter((worker) => worker.pool === id);
    const count = (...states: WorkerState[]): number =>
      own.filter(({ state }) => states.includes(state)).length;
    const ready = count(WorkerState.READY);
    const busy = count(WorkerState.BUSY);
    const slots = own.reduce((sum, worker) => sum + worker.slots, 0);
    const running = own.reduce((sum, worker) => sum + worker.running, 0);
    const nobodyServes = ready + busy === 0 && (queue?.waiting ?? 0) > 0;
    const isDraining = pool?.conduct?.draining === true;
    return {
      cells: [
        id + (isDraining ? " (drains)" : ""),
        String(own.length),
        String(ready),
        String(busy),
        String(count(...aside)),
        String(slots),
        slots === 0 ? "-" : percentText(Math.min(1, running / slots)),
        coldShare(queue),
        pool?.facts?.model ?? "-",
      ],
      tone: nobodyServes ? "bad" : isDraining ? "warn" : "plain",
    };
  });
}

/** Of the batches of late that need adapters, those that had to load some. */
function coldShare(queue: PoolQueue | undefined): string {
  const { warmStarts = 0, coldStarts = 0 } = queue ?? {};
  const all = warmStarts + coldStarts;
  return all < 0.5 ? "-" : percentText(coldStarts / all);
}

const scalingHeader = ["POOL", "DESIRED", "TARGET", "READY", "STARTING", "WHY", "DONE", "SINCE"];

function scalingRows({ scaling, readAt }: FarmPicture): Row[] {
  return scaling.map(({ pool, desired, target, inputs, reason, bounds, result, decideTime }) => ({
    cells: [
      pool,
      String(desired),
      String(target),
      String(inputs?.ready ?? 0),
      String(inputs?.starting ?? 0),
      [...new Set([reason, ...bounds])].join(", "),
      result || "-",
      ageText(decideTime, readAt),
    ],
    tone: result === "failed" ? "bad" : desired === target ? "plain" : "warn",
  }));
}

function toQueueRows(queue: PoolQueue): Row[] {
  return queueRows(queue).map(plainRow);
}

function plainRow(cells: readonly string[]): Row {
  return { cells, tone: "plain" };
}

function reasonsOf(queues: readonly PoolQueue[]): Section {
  const waiting = queues.filter(({ reasons }) => reasons.length > 0);
  const lines = waiting.map(({ pool, reasons }): Line => {
    return { text: `${pool.replace(/^pools\//, "")}: ${describeReasons(reasons)}`, tone: "plain" };
  });
  return { title: "why tasks wait", lines };
}

const workerHeader = ["WORKER", "POOL", "STATE", "RUNNING", "ADAPTERS", "NODE", "HEARD", "WHY"];

/** Those that need a look come first, then the busiest: a screen shows few of many. */
function workersByNeed(workers: readonly Worker[]): Worker[] {
  return workers.toSorted(
    (one, other) => needOf(other) - needOf(one) || other.running - one.running,
  );
}

/** The more it wants a look, the later. */
const aside: readonly WorkerState[] = [
  WorkerState.DRAINING,
  WorkerState.LOCKED,
  WorkerState.QUARANTINED,
];

function needOf({ state }: Worker): number {
  return aside.indexOf(state);
}

function toRow(worker: Worker, nowMs: number): Row {
  const { pool, running, slots, host, heartbeatTime } = worker;
  const silentForMs = nowMs - (heartbeatTime?.getTime() ?? nowMs);
  const isBad = worker.state === WorkerState.QUARANTINED || silentForMs > silentMs;
  return {
    cells: [
      shortName(worker),
      pool,
      stateName(worker),
      `${running}/${slots}`,
      describeShelf(worker),
      host?.node ?? "-",
      spanText(silentForMs / 1_000),
      whyOf(worker, nowMs),
    ],
    tone: isBad ? "bad" : needOf(worker) >= 0 ? "warn" : "plain",
  };
}

function tableOf(title: string, header: readonly string[], rows: readonly Row[]): Section {
  if (rows.length === 0) return { title, lines: [] };
  const cells = rows.map((row) => row.cells.map(showable));
  const [head = "", ...texts] = formatTable([header, ...cells]);
  const lines = texts.map((text, index): Line => ({ text, tone: rows[index]?.tone ?? "plain" }));
  return { title, lines: [{ text: head, tone: "heading" }, ...lines] };
}
