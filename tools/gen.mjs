/** Regenerates every generated file: `npm run gen`. */
import { spawnSync } from "node:child_process";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

const steps = [
  ["buf", "lint"],
  ["buf", "generate"],
  // Server reflection serves the API's own description.
  ["buf", "build", "proto", "-o", "packages/contract/src/gen/zfarm.binpb"],
  ["buf", "generate", "--template", "packages/zimage/buf.gen.yaml", "packages/zimage/proto"],
  ["buf", "generate", "--template", "services/scheduler/buf.gen.yaml", "services/scheduler/proto"],
];

for (const [command, ...args] of steps) {
  const result = spawnSync(command, args, { cwd: root, stdio: "inherit" });
  if (result.status !== 0) {
    process.stderr.write(`gen: ${command} ${args.join(" ")} failed\n`);
    process.exit(1);
  }
}
