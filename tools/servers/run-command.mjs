/** Runs another program to its end, for a bounded time and a bounded amount of output. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { ServerBinaryError } from "./server-binary-error.mjs";

const execute = promisify(execFile);

/** Far above what a build that downloads hundreds of modules prints. */
const outputBytesMax = 16 * 1024 * 1024;
/** The end of stderr is where programs say what stopped them. */
const stderrCharsKept = 2_000;

/**
 * A command's stdout. Past its bound the command is killed, and the call ends even where children
 * of the command still hold its output open.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ limitMs: number, env?: Record<string, string>, cwd?: string }} options
 *   env: variables set on top of this process's own.
 * @returns {Promise<string>}
 * @throws {ServerBinaryError} it could not start, failed, printed too much or took too long.
 */
export async function runCommand(command, args, { limitMs, env = {}, cwd }) {
  try {
    const running = execute(command, args, {
      cwd,
      env: { ...process.env, ...env },
      timeout: limitMs,
      killSignal: "SIGKILL",
      maxBuffer: outputBytesMax,
    });
    // A program that waits for input must see its end at once, not sit out the bound.
    running.child.stdin?.end();
    return (await running).stdout;
  } catch (cause) {
    const stderr = (cause.stderr ?? "").slice(-stderrCharsKept).trim();
    const message = `${command}: ${describeEnd(cause, limitMs)}`;
    throw new ServerBinaryError(stderr === "" ? message : `${message}: ${stderr}`, { cause });
  }
}

/** How a command ended, from the error of `execFile`, whose `code` is a number or a name. */
function describeEnd({ code, killed, signal, message }, limitMs) {
  if (typeof code === "number") return `exit code ${code}`;
  if (code === "ERR_CHILD_PROCESS_STDIO_MAXBUFFER") {
    return `killed, because it printed more than ${outputBytesMax} bytes`;
  }
  if (typeof code === "string") return `could not be started (${code})`;
  if (killed) return `killed, because it took longer than ${limitMs} ms`;
  return signal ? `ended by ${signal}` : message;
}
