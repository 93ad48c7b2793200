/** Runs the rows of a group on one farm and judges the whole history at the end. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type ChaosFarm, startChaosFarm } from "../farm/chaos-farm.ts";
import { comeToRest } from "../farm/come-to-rest.ts";
import { scanFarm } from "../farm/scan-farm.ts";
import { checkHistory, type Judgement } from "../history/check-history.ts";
import { keepEvidence } from "../keep-evidence.ts";
import { createRandom } from "../random.ts";
import { missing } from "./abilities.ts";
import type { Ground, Row, RowGroup, RowResult } from "./row.ts";
import { RowContext } from "./row-context.ts";

export interface GroupVerdict {
  readonly name: string;
  readonly seed: string;
  readonly ok: boolean;
  readonly rows: readonly RowResult[];
  readonly counts: Judgement["counts"] | undefined;
  readonly violations: Judgement["violations"];
}

export interface GroupOptions {
  readonly seed: string;
  readonly out: string;
  readonly say: (line: string) => void;
  /** Whether bounds on the wall clock are held; they are unless this says no. */
  readonly isTimed?: boolean;
}

const rowWithinMs = 120_000;
const violationsShown = 20;

export async function runGroup(group: RowGroup, options: GroupOptions): Promise<GroupVerdict> {
  const { seed, out, say } = options;
  const lacks = await missing(group.needs ?? []);
  if (lacks !== "") {
    const rows = group.rows.map((row) => skip(row, lacks));
    for (const row of rows) say(`  ${row.id} SKIPPED: ${row.why}`);
    return { name: group.name, seed, ok: !isCi(), rows, counts: undefined, violations: [] };
  }
  const ground = await group.open(seed);
  try {
    const farm = await startChaosFarm(ground.farm);
    try {
      const verdict = await runOn({ farm, ground, group, options });
      await mkdir(out, { recursive: true });
      const text = `${JSON.stringify(verdict, null, 2)}\n`;
      await writeFile(join(out, `${group.name}.json`), text);
      if (!verdict.ok) await keepEvidence(farm, join(out, group.name));
      return verdict;
    } finally {
      await farm.stop();
    }
  } finally {
    await ground.close?.();
  }
}

interface GroupParts {
  readonly farm: ChaosFarm;
  readonly ground: Ground;
  readonly group: RowGroup;
  readonly options: GroupOptions;
}

async function runOn({ farm, ground, group, options }: GroupParts): Promise<GroupVerdict> {
  const { seed, say, isTimed = true } = options;
  const rows: RowResult[] = [];
  for (const row of group.rows) {
    const result = await runRow(row, { farm, ground, seed, isTimed });
    const facts = JSON.stringify(result.facts);
    say(`  ${row.id} ${result.status} in ${result.durationMs} ms ${facts} ${result.why}`);
    rows.push(result);
  }
  await comeToRest(farm);
  const { toleratedFailures = [] } = group;
  const scan = await scanFarm(farm);
  const judgement = checkHistory(farm.history.entries, scan, { toleratedFailures });
  for (const { rule, subject, detail } of judgement.violations.slice(0, violationsShown)) {
    say(`  VIOLATION ${rule} ${subject}: ${detail}`);
  }
  const isGood = rows.every(
    ({ status }) => status === "passed" || (status === "skipped" && !isCi()),
  );
  return {
    name: group.name,
    seed,
    ok: isGood && judgement.violations.length === 0,
    rows,
    counts: judgement.counts,
    violations: judgement.violations.slice(0, violationsShown),
  };
}

interface RowParts {
  readonly farm: ChaosFarm;
  readonly ground: Ground;
  readonly seed: string;
  readonly isTimed: boolean;
}

async function runRow(row: Row, { farm, ground, seed, isTimed }: RowParts): Promise<RowResult> {
  const lacks = await missing(row.needs ?? []);
  if (lacks !== "") return skip(row, lacks);
  const startedMs = performance.now();
  const stop = AbortSignal.timeout(rowWithinMs);
  const random = createRandom(seed).fork(row.id);
  const context = new RowContext({ farm, id: row.id, random, stop, isTimed });
  const why = await attempt(async () => {
    await attemptThen(
      () => row.run(context, ground),
      () => context.close(),
    );
    await farm.heal();
  });
  const durationMs = Math.round(performance.now() - startedMs);
  const status = why === "" ? "passed" : "failed";
  return { id: row.id, promise: row.promise, status, why, durationMs, facts: context.facts };
}

/** The reason of the failure; empty where there was none. */
async function attempt(work: () => Promise<void>): Promise<string> {
  try {
    await work();
    return "";
  } catch (thrown) {
    return thrown instanceof Error ? thrown.message : String(thrown);
  }
}

async function attemptThen(work: () => Promise<void>, after: () => Promise<void>): Promise<void> {
  try {
    await work();
  } finally {
    await after();
  }
}

function skip(row: Row, why: string): RowResult {
  return { id: row.id, promise: row.promise, status: "skipped", why, durationMs: 0, facts: {} };
}

/** Where CI is set, what is skipped is missing. */
function isCi(): boolean {
  return process.env["CI"] === "true";
}
