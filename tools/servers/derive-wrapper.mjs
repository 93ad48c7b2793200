/**
 * Writes the go.mod and go.sum of a wrapper: a module that holds nothing but the pins of another
 * module's programs. `go install` refuses a module that replaces others, because those words only
 * count in the module that is built; here they are said again. A module replaced by a folder of
 * its own repository is published at the same release instead; Kubernetes calls its v1.2.3 of
 * those v0.2.3. Run once per new release, and commit what it writes:
 * `node tools/servers/derive-wrapper.mjs <folder below go/> <module@version> <package>...`.
 */
import { mkdir, rm, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { goEnvironment } from "./go-toolchain.mjs";
import { runCommand } from "./run-command.mjs";

const resolveMs = 15 * 60_000;
const wrappers = new URL("go/", import.meta.url);

/**
 * The text of a wrapper's go.mod.
 * @param {string} module
 * @param {string} version With its `v`.
 * @param {readonly string[]} packages Import paths of the programs' main packages.
 * @param {any} told The module's own go.mod, as `go mod edit -json` prints it.
 */
export function wrapperOf({ module, version, packages, told }) {
  const required = new Map((told.Require ?? []).map((one) => [one.Path, one.Version]));
  const replaces = (told.Replace ?? []).flatMap(({ Old, New }) => {
    const old = Old.Version ? `${Old.Path} ${Old.Version}` : Old.Path;
    if (New.Version) return [`replace ${old} => ${New.Path} ${New.Version}`];
    // Only v0.0.0 names no release: the others are asked for at one that is published.
    if (required.get(Old.Path) !== "v0.0.0") return [];
    return [`replace ${old} => ${Old.Path} ${version.replace(/^v1\./, "v0.")}`];
  });
  return [
    "// Written by tools/servers/derive-wrapper.mjs.",
    `module zfarm.example/${module}`,
    `go ${told.Go}`,
    ...packages.map((path) => `tool ${path}`),
    `require ${module} ${version}`,
    ...replaces,
    ...(told.Exclude ?? []).map((one) => `exclude ${one.Path} ${one.Version}`),
    "",
  ].join("\n");
}

async function go(args, cwd) {
  return runCommand("go", args, { limitMs: resolveMs, env: goEnvironment, cwd });
}

async function main([name, source, ...packages]) {
  const [module, version] = source.split("@");
  const { GoMod } = JSON.parse(await go(["mod", "download", "-json", source]));
  const told = JSON.parse(await go(["mod", "edit", "-json", GoMod]));
  const folder = fileURLToPath(new URL(name, wrappers));
  await mkdir(folder, { recursive: true });
  await rm(`${folder}/go.sum`, { force: true });
  await writeFile(`${folder}/go.mod`, wrapperOf({ module, version, packages, told }));
  await go(["mod", "tidy"], folder);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(process.argv.slice(2));
