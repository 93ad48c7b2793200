/**
 * `npm run chaos`: the fault matrix row by row, then the acceptance runs. `--only W1,S1` picks rows
 * or runs by name, `--acceptance` leaves the matrix out, `--minutes` is the length of the run with
 * all faults, `--seed` repeats one. Progress goes to stderr; the last line of stdout is JSON.
 */
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { runAcceptance } from "./acceptance.ts";
import { acceptanceRuns } from "./acceptance-runs.ts";
import { rowGroups } from "./rows/groups.ts";
import { runGroup } from "./rows/run-group.ts";

const { values } = parseArgs({
  options: {
    only: { type: "string", default: "" },
    acceptance: { type: "boolean", default: false },
    seed: { type: "string", default: String(Date.now()) },
    minutes: { type: "string", default: "10" },
    tasks: { type: "string", default: "2000" },
    out: { type: "string" },
  },
});
const { seed } = values;
const out = values.out ?? (await mkdtemp(join(tmpdir(), "zfarm-chaos-verdicts-")));
const only = values.only.split(",").filter((name) => name !== "");
const isWanted = (name: string): boolean => only.length === 0 || only.includes(name);
const say = (line: string): void => void process.stderr.write(`${line}\n`);

const groups = [];
for (const group of values.acceptance ? [] : rowGroups) {
  const rows = group.rows.filter(({ id }) => isWanted(id) || isWanted(`${group.name}-rows`));
  if (rows.length === 0) continue;
  say(`rows ${group.name}, seed ${seed}`);
  groups.push(await runGroup({ ...group, rows }, { seed, out, say }));
}

const runs = [];
const scale = { tasks: Number(values.tasks), minutes: Number(values.minutes) };
for (const run of acceptanceRuns(scale).filter(({ name }) => isWanted(name))) {
  say(`acceptance ${run.name}, seed ${seed}`);
  const verdict = await runAcceptance(run, { seed, out });
  runs.push(verdict);
  for (const gate of verdict.gates) {
    say(`  ${gate.holds ? "holds" : "FAILS"}: ${gate.name} ${gate.got}, ${gate.wanted}`);
  }
}

const ok = groups.length + runs.length > 0 && [...groups, ...runs].every((each) => each.ok);
process.stdout.write(`${JSON.stringify({ ok, seed, out, groups, runs })}\n`);
process.exitCode = ok ? 0 : 1;
