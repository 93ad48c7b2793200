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

/** Writes are synchronous, so the last line before an exit is never lost. */
export function createLog({ name, level, destination }: LogOptions): Log {
  const options = {
    level,
    base: { app: name },
    messageKey: "message",
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    serializers: { error: stdSerializers.err },
  };
  return destination === undefined ? pino(options) : pino(options, destination);
}

/** Says nothing; for tests and libraries whose caller does not care. */
export const silentLog: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silentLog,
};
