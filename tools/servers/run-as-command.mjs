/** What `node <module> [--fetch]` does for a module that finds a server: print the path. */
import { fileURLToPath } from "node:url";

/**
 * Does nothing where the module was only imported. Progress goes to stderr, so that stdout is the
 * path alone; exit code 1 where there is no server.
 * @param {string} moduleUrl The caller's `import.meta.url`.
 * @param {(options: { fetch: boolean, log: (text: string) => void }) =>
 *   Promise<{ path: string } | undefined>} find
 */
export async function runAsCommand(moduleUrl, find) {
  if (process.argv[1] !== fileURLToPath(moduleUrl)) return;
  const found = await find({
    fetch: process.argv.includes("--fetch"),
    log: (text) => process.stderr.write(`${text}\n`),
  });
  if (found === undefined) process.exitCode = 1;
  else process.stdout.write(`${found.path}\n`);
}
