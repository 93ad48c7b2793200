/** The `zfarm` command: finds the subcommand, runs it, turns failures into text and exit codes. */
import { FarmError } from "@zfarm/contract";
import { ConfigError, type Env, systemClock } from "@zfarm/runtime";
import { ModelError } from "@zfarm/zimage";
import type { Command } from "./command.ts";
import { runBootstrap } from "./commands/bootstrap.ts";
import { runDoctor } from "./commands/doctor.ts";
import { runJob } from "./commands/job.ts";
import { runLora } from "./commands/lora.ts";
import { runModel } from "./commands/model.ts";
import { runNatsUsers } from "./commands/nats-users.ts";
import { runPool, runPools } from "./commands/pool.ts";
import { runProject } from "./commands/project.ts";
import { runQueue } from "./commands/queue.ts";
import { runQuickstart } from "./commands/quickstart.ts";
import { runRender } from "./commands/render.ts";
import { runTop } from "./commands/top.ts";
import { runUp } from "./commands/up.ts";
import { runWorkers } from "./commands/workers.ts";
import { processTerminal } from "./terminal.ts";
import { usage, usageOf } from "./usage.ts";
import { UsageError } from "./usage-error.ts";

const commands: Readonly<Record<string, Command>> = {
  up: runUp,
  render: runRender,
  workers: runWorkers,
  job: runJob,
  pool: runPool,
  pools: runPools,
  queue: runQueue,
  top: runTop,
  project: runProject,
  lora: runLora,
  model: runModel,
  bootstrap: runBootstrap,
  "nats-users": runNatsUsers,
  doctor: runDoctor,
  quickstart: runQuickstart,
};

/** Runs one command line. Gives the exit code: 0 done, 1 failed, 2 not understood. */
export async function runCommand(argv: readonly string[], env: Env): Promise<0 | 1 | 2> {
  const [name = "", ...args] = argv;
  const command = commands[name];
  if (command === undefined) {
    processTerminal.note(usage);
    return name === "--help" || name === "help" ? 0 : 2;
  }
  if (args.includes("--help")) {
    processTerminal.note(usageOf(name));
    return 0;
  }
  const stop = stopOnSignal();
  try {
    await command({ args, env, terminal: processTerminal, stop });
    return 0;
  } catch (error) {
    if (!stop.aborted || error !== stop.reason) return explain(error);
    processTerminal.note("zfarm: stopped");
    return 1;
  }
}

function explain(error: unknown): 1 | 2 {
  if (error instanceof UsageError || isParseError(error)) {
    processTerminal.note(`zfarm: ${error.message}`);
    return 2;
  }
  if (error instanceof ConfigError) {
    for (const problem of error.problems) processTerminal.note(`zfarm: ${problem}`);
    return 2;
  }
  if (error instanceof ModelError) {
    processTerminal.note(`zfarm: ${error.message} (${error.code})`);
    return 1;
  }
  const failure = FarmError.from(error);
  processTerminal.note(`zfarm: ${failure.message} (${failure.code})`);
  for (const violation of failure.violations) {
    processTerminal.note(`  ${violation.field}: ${violation.description}`);
  }
  return 1;
}

/** What node:util's parseArgs throws for an option it does not know. */
function isParseError(error: unknown): error is Error {
  return (
    error instanceof TypeError && "code" in error && String(error.code).startsWith("ERR_PARSE_ARGS")
  );
}

/** Who started the command may pass on a signal that the terminal sent to both. */
const sameSignalMs = 500;

function stopOnSignal(): AbortSignal {
  const controller = new AbortController();
  let firstMs = 0;
  const onSignal = () => {
    const nowMs = systemClock.monotonic();
    if (!controller.signal.aborted) firstMs = nowMs;
    else if (nowMs - firstMs > sameSignalMs) process.exit(1);
    controller.abort();
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  // The terminal is gone, and says so only once.
  process.on("SIGHUP", () => controller.abort());
  return controller.signal;
}
