/**
 * `npm run chaos`: the acceptance runs. Progress goes to stderr; the last line of stdout is JSON.
 */
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { runAcceptance } from "./acceptance.ts";
import { acceptanceRuns } from "./acceptance-runs.ts";

const { values } = parseArgs({
  options: {
    only: { type: "string", default: "" },
    seed: { type: "string", default: String(Date.now()) },
    minutes: { type: "string", default: "10" },
    tasks: { type: "string", default: "2000" },
    out: { type: "string" },
  },
});
const out = values.out ?? (await mkdtemp(join(tmpdir(), "zfarm-chaos-verdicts-")));
const only = values.only.split(",").filter((name) => name !== "");
const say = (line: string): void => void process.stderr.write(`${line}\n`);

const verdicts = [];
const runs = acceptanceRuns({ tasks: Number(values.tasks), minutes: Number(values.minutes) });
for (const run of runs.filter(({ name }) => only.length === 0 || only.includes(name))) {
  say(`acceptance ${run.name}, seed ${values.seed}`);
  const verdict = await runAcceptance(run, { seed: values.seed, out });
  verdicts.push(verdict);
  for (const gate of verdict.gates) {
    say(`  ${gate.holds ? "holds" : "FAILS"}: ${gate.name} ${gate.got}, ${gate.wanted}`);
  }
}
const ok = verdicts.every((verdict) => verdict.ok);
process.stdout.write(`${JSON.stringify({ ok, seed: values.seed, out, verdicts })}\n`);
process.exitCode = ok ? 0 : 1;
