/** Has spin search every state that a model can reach. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runCommand } from "../../tools/servers/run-command.mjs";
import { findSpin } from "../../tools/servers/spin.mjs";
import { repositoryRoot } from "../repository.ts";

export interface Verdict {
  /** What was violated first; undefined where the model keeps all its promises. */
  readonly violation: string | undefined;
  readonly states: number;
}

export type CheckModel = (model: string, sabotage?: string) => Promise<Verdict>;

const generateMs = 10_000;
const compileMs = 60_000;
const searchMs = 60_000;
/** The verifier gives up above this; the largest of the models stays at a half. */
const memoryMegabytes = 1_024;
/** Longer than any path of the models, so that no search is cut short. */
const depthMax = 10_000;

/** Undefined, said loudly, where spin or a C compiler is missing; in CI that is a failure. */
export async function findChecker(): Promise<CheckModel | undefined> {
  const spin = await findSpin();
  const hasCompiler = await runCommand("cc", ["--version"], { limitMs: generateMs }).then(
    () => true,
    () => false,
  );
  if (spin !== undefined && hasCompiler) return (model, flag) => check(spin.path, model, flag);
  const how = "run `node tools/servers/spin.mjs --fetch` and have a C compiler";
  const text = `no spin or no cc on this machine: models were not checked; ${how}`;
  if (process.env["CI"] === "true") throw new Error(text);
  process.stderr.write(`\n*** SKIPPED: ${text} ***\n\n`);
  return undefined;
}

async function check(spin: string, model: string, sabotage?: string): Promise<Verdict> {
  const cwd = await mkdtemp(join(tmpdir(), "zfarm-model-"));
  const flags = sabotage === undefined ? [] : [`-D${sabotage}`];
  const source = join(repositoryRoot, "test/model", model);
  try {
    await runCommand(spin, ["-a", ...flags, source], { cwd, limitMs: generateMs });
    const options = ["-O1", "-w", "-DSAFETY", "-DCOLLAPSE", `-DMEMLIM=${memoryMegabytes}`];
    await runCommand("cc", [...options, "-o", "pan", "pan.c"], { cwd, limitMs: compileMs });
    return readReport(
      await runCommand(join(cwd, "pan"), [`-m${depthMax}`], { cwd, limitMs: searchMs }),
    );
  } finally {
    await rm(cwd, { recursive: true, force: true });
  }
}

/** Throws where the search was not complete: then it proves nothing. */
function readReport(report: string): Verdict {
  const errors = /errors: (\d+)/.exec(report)?.[1];
  const states = Number(/(\d+) states, stored/.exec(report)?.[1]);
  const violation = /^pan:\d+: (.*) \(at depth/m.exec(report)?.[1];
  if (violation !== undefined) return { violation, states };
  const isComplete = errors === "0" && !/Search not completed|max search depth/.test(report);
  if (!isComplete) throw new Error(`the search was not complete:\n${report}`);
  return { violation, states };
}
