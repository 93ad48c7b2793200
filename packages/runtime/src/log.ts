/**
 * JSON lines on stdout. Messages are constant lower-case phrases, facts go into snake_case
 * fields; prompts are never logged above debug. The only importer of pino.
 */
import { pino, stdSerializers, stdTimeFunctions } from "pino";

export const logLevels = ["debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof logLevels)[number];

/**
 * What a part needs of a logger; pino's fits. error: someone must act. warn: the farm coped.
 * info: a state changed. debug: flow.
 */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  /** A logger that adds these fields to every line. */
  child(fields: object): Log;
}

export interface LogOptions {
  /** Goes into the field `app` of every line. */
  readonly name: string;
  readonly level: LogLevel;
  /** Where lines go instead of stdout; each call gets one line with its newline. */
  readonly destination?: { write(line: string): void };
}

export function createLog({ name, level, destination }: LogOptions): Log {
  const options = {
    level,
    base: { app: name },
    messageKey: "message",
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    serializers: { error: stdSerializers.err },
  };
  return pino(options, destination ?? openStdout());
}

/** Beyond this a turn's lines are written before its end. */
const turnCharsMax = 8_192;

/**
 * Lines of one turn of the event loop leave in one write behind everything else of that turn: a
 * write each would take longer than the work that many lines tell of. What is left at an exit, be
 * it by a crash of this process's own making, is written then.
 */
function openStdout(): { write(line: string): void } {
  const stdout = pino.destination({ fd: 1, sync: true });
  let lines = "";
  const flush = (): void => {
    if (lines === "") return;
    stdout.write(lines);
    lines = "";
  };
  process.on("exit", flush);
  return {
    write: (line) => {
      if (lines === "") setImmediate(flush);
      lines += line;
      if (lines.length > turnCharsMax) flush();
    },
  };
}

/** Says nothing; for tests and libraries whose caller does not care. */
export const silentLog: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silentLog,
};
