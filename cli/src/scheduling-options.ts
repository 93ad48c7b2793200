/** The options that say how tasks compete, parsed and bounded. */
import type { SchedulingChanges } from "@zfarm/client";
import { limits, PriorityClass } from "@zfarm/contract";
import { parseWhile } from "./parse-while.ts";
import { parseWhole } from "./parse-whole.ts";
import { UsageError } from "./usage-error.ts";

/** For whatever is rendered; as node:util's parseArgs wants them. */
export const competingOptionTable = {
  class: { type: "string" },
  priority: { type: "string" },
  deadline: { type: "string" },
} as const;

/** For jobs as a whole. */
export const schedulingOptionTable = {
  ...competingOptionTable,
  "max-concurrency": { type: "string" },
  "max-failed": { type: "string" },
  sample: { type: "string" },
} as const;

type RawOptions = { readonly [Name in keyof typeof schedulingOptionTable]?: string | undefined };

const classes: ReadonlyMap<string, PriorityClass> = new Map([
  ["interactive", PriorityClass.INTERACTIVE],
  ["standard", PriorityClass.STANDARD],
  ["batch", PriorityClass.BATCH],
]);

/** What was said, and no field that was not. Throws UsageError. */
export function parseScheduling(raw: RawOptions, nowMs: number): SchedulingChanges {
  const { tasksPerJobMax } = limits;
  const said: SchedulingChanges = {
    priorityClass: parseClass(raw.class),
    priority: parseWhole("--priority", raw.priority, [1, limits.priorityMax]),
    deadlineTime: parseDeadline(raw.deadline, nowMs),
    maxConcurrency: parseWhole("--max-concurrency", raw["max-concurrency"], [0, tasksPerJobMax]),
    maxFailedTasks: parseWhole("--max-failed", raw["max-failed"], [0, tasksPerJobMax]),
    sampleTasks: parseWhole("--sample", raw.sample, [0, tasksPerJobMax]),
  };
  const isSaid = ([field, value]: [string, unknown]): boolean =>
    value !== undefined || (field === "deadlineTime" && raw.deadline !== undefined);
  return Object.fromEntries(Object.entries(said).filter(isSaid));
}

function parseClass(text: string | undefined): PriorityClass | undefined {
  if (text === undefined) return undefined;
  const found = classes.get(text);
  if (found !== undefined) return found;
  throw new UsageError(`--class ${text}: must be ${[...classes.keys()].join(", ")}`);
}

/** A time, a time from now, or undefined for none. */
function parseDeadline(text: string | undefined, nowMs: number): Date | undefined {
  if (text === undefined || text === "none") return undefined;
  const whileMs = parseWhile(text);
  if (whileMs !== undefined) return new Date(nowMs + whileMs);
  const time = new Date(text);
  if (/^\d{4}-\d\d-\d\dT/.test(text) && !Number.isNaN(time.getTime())) return time;
  const choices = "a time like 2030-01-31T12:00:00Z, a while like 90s, 30m, 2h, 3d, or none";
  throw new UsageError(`--deadline ${text}: must be ${choices}`);
}
