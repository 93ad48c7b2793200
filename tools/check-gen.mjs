/** Fails when the committed generated code is not what `npm run gen` makes of the schemas. */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

function snapshot() {
  const files = globSync("{packages,services}/*/src/gen/**/*.{ts,binpb}", { cwd: root }).sort();
  return new Map(
    files.map((file) => {
      const bytes = readFileSync(join(root, file));
      return [file, createHash("sha256").update(bytes).digest("hex")];
    }),
  );
}

const before = snapshot();
const run = spawnSync(process.execPath, [join(root, "tools/gen.mjs")], { stdio: "inherit" });
if (run.status !== 0) process.exit(1);
const after = snapshot();

const names = [...new Set([...before.keys(), ...after.keys()])];
const changed = names.filter((name) => before.get(name) !== after.get(name));
if (changed.length > 0) {
  process.stderr.write(`generated code was out of date and is now made anew:\n`);
  process.stderr.write(changed.map((name) => `  ${name}\n`).join(""));
  process.exit(1);
}
