/**
 * The short form of `npm run chaos`: one small farm with every kind of process killed under load,
 * and a few rows of the fault matrix that are quick and far apart from each other.
 */
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findServerForTests } from "@zfarm/testing";
import { describe, expect, test } from "vitest";
import { runAcceptance } from "./acceptance.ts";
import { shortRun } from "./acceptance-runs.ts";
import { rowGroups } from "./rows/groups.ts";
import { runGroup } from "./rows/run-group.ts";

/** By group; each farm start costs some three seconds. */
const shortRows = ["W3", "W5", "S1", "N4", "O4", "O5", "G2", "G8"];
const seed = process.env["CHAOS_SEED"] ?? "1";
const say = (line: string): void => void process.stderr.write(`${line}\n`);

describe.runIf((await findServerForTests()) !== undefined)("a farm of real processes", () => {
  test("keeps its promises while everything in it is killed", async () => {
    const out = await mkdtemp(join(tmpdir(), "zfarm-chaos-"));

    const verdict = await runAcceptance(shortRun, { seed, out });

    expect(verdict.violations).toEqual([]);
    expect(verdict.gates.filter(({ holds }) => !holds)).toEqual([]);
  });

  const groups = rowGroups
    .map((group) => ({ ...group, rows: group.rows.filter(({ id }) => shortRows.includes(id)) }))
    .filter(({ rows }) => rows.length > 0);

  test.each(groups)("passes quick rows of the matrix: $name", async (group) => {
    const out = await mkdtemp(join(tmpdir(), "zfarm-chaos-"));

    const { rows, violations, ok } = await runGroup(group, { seed, out, say, isTimed: false });

    expect(violations).toEqual([]);
    expect(rows.filter(({ status }) => status === "failed")).toEqual([]);
    // Where CI is set, a row that was skipped is missing.
    expect(ok).toBe(true);
  });
});
