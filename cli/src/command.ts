/** What a subcommand of `zfarm` is. */
import type { Env } from "@zfarm/runtime";
import type { Terminal } from "./terminal.ts";

/** What every subcommand gets. */
export interface CommandContext {
  readonly args: readonly string[];
  readonly env: Env;
  readonly terminal: Terminal;
  /** Aborts at the first Ctrl-C or SIGTERM; another one later ends the process. */
  readonly stop: AbortSignal;
}

/** Runs one subcommand to its end; failures are thrown. */
export type Command = (context: CommandContext) => Promise<void>;
