#!/usr/bin/env node
/**
 * The `zfarm` command. Plain JavaScript: on a Node that cannot run TypeScript sources it hands
 * over to the Node 24 that the repository pins.
 */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const self = fileURLToPath(import.meta.url);
const pinned = join(dirname(self), "../../node_modules/node/bin/node");
const major = Number(process.versions.node.split(".")[0]);

if (major >= 24) {
  const { runCommand } = await import("../src/main.ts");
  process.exitCode = await runCommand(process.argv.slice(2), process.env);
} else if (existsSync(pinned)) {
  handOver();
} else {
  process.stderr.write("zfarm: Node 24 is needed; run `npm run setup` in the repository first\n");
  process.exitCode = 1;
}

function handOver() {
  const child = spawn(pinned, [self, ...process.argv.slice(2)], { stdio: "inherit" });
  // The terminal signals the whole group; a signal sent to this process alone is passed on.
  for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  process.on("SIGINT", () => {});
  child.on("exit", (code, signal) => {
    process.exitCode = code ?? 128 + (signal ? constants.signals[signal] : 1);
  });
}
