/** A service of the local farm as a supervised process: ready when its ops server says so. */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type ProcessOptions, SupervisedProcess } from "./supervised-process.ts";

type ServiceOptions = Omit<ProcessOptions, "command" | "args" | "isReady" | "readLine"> & {
  /** The package without its scope, for example "gateway". */
  readonly service: string;
};

export function createServiceProcess(options: ServiceOptions): SupervisedProcess {
  let opsPort: number | undefined;
  return new SupervisedProcess({
    ...options,
    command: process.execPath,
    args: [serviceEntry(options.service)],
    onStart: (pid) => {
      opsPort = undefined;
      options.onStart?.(pid);
    },
    env: { ...options.env, OPS_PORT: "0" },
    isReady: async () => opsPort !== undefined && (await isReady(opsPort)),
    readLine: (line) => {
      const entry = parseLogLine(line);
      if (entry === undefined) return line;
      if (entry.message === "ops server listens") opsPort = Number(entry["port"]);
      return entry["level"] === "error" ? describeLogLine(entry) : undefined;
    },
  });
}

function serviceEntry(service: string): string {
  const index = fileURLToPath(import.meta.resolve(`@zfarm/${service}`));
  return join(dirname(index), "main.ts");
}

/** How long one look at a process may take: its own checks answer sooner. */
const probeMs = 2_000;

async function isReady(opsPort: number): Promise<boolean> {
  const asked = { signal: AbortSignal.timeout(probeMs) };
  const answer = await fetch(`http://127.0.0.1:${opsPort}/readyz`, asked).catch(() => undefined);
  await answer?.body?.cancel();
  return answer?.status === 200;
}

interface LogEntry {
  readonly message: string;
  readonly [field: string]: unknown;
}

/**
 * Undefined for what is no log entry: crash reports of Node itself are plain text, and a process
 * that was killed may leave half a line.
 */
export function parseLogLine(line: string): LogEntry | undefined {
  if (!line.startsWith("{")) return undefined;
  try {
    const entry: unknown = JSON.parse(line);
    return typeof entry === "object" && entry !== null && "message" in entry
      ? (entry as LogEntry)
      : undefined;
  } catch {
    return undefined;
  }
}

function describeLogLine(entry: LogEntry): string {
  const error = entry["error"];
  const known = typeof error === "object" && error !== null && "message" in error;
  return known ? `${entry.message}: ${String(error.message)}` : entry.message;
}
