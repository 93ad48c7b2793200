/**
 * KEDA's operator and its metrics adapter, and the objects that are theirs in a cluster, built into
 * the user's cache and read from Go's. It takes too long for every machine that runs the tests:
 * `npm run test:keda` builds it. Also a command: `node tools/servers/keda.mjs [--fetch]` prints
 * where it all is.
 */
import { fileURLToPath } from "node:url";
import { goTool } from "./go-tool.mjs";
import { goEnvironment } from "./go-toolchain.mjs";
import { runCommand } from "./run-command.mjs";

const version = "2.21.0";
const module = "github.com/kedacore/keda/v2";
const wrapper = "keda";
/** Some hundred modules, on a slow line. */
const downloadMs = 30 * 60_000;

/** Neither prints a version. */
function kedaTool(program, variable) {
  return goTool({
    name: `keda-${program}`,
    title: `KEDA's ${program}`,
    variable,
    module,
    version,
    go: [1, 26],
    package: `${module}/cmd/${program}`,
    wrapper,
    stamps: { [`${module}/version.Version`]: version },
  });
}

const operator = kedaTool("operator", "KEDA_OPERATOR_BIN");
const adapter = kedaTool("adapter", "KEDA_ADAPTER_BIN");

/**
 * The paths of both, and of the folder with its custom resources and roles; undefined where one of
 * them cannot be had.
 * @param {{ fetch?: boolean, log?: (text: string) => void }} options
 */
export async function findKeda({ fetch = false, log = () => undefined } = {}) {
  const found = [await operator.find({ fetch, log }), await adapter.find({ fetch, log })];
  if (found.includes(undefined)) return undefined;
  const sources = await findSources(fetch).catch((error) => log(String(error)));
  if (!sources) return undefined;
  const [operatorPath, adapterPath] = found.map(({ path }) => path);
  return { operator: operatorPath, adapter: adapterPath, config: `${sources}/config` };
}

/** Whether `findKeda({ fetch: true })` could build what is missing. */
export function canBuildKeda() {
  return operator.canBuild();
}

/** The folder of the module's sources; empty where they are not in Go's cache. */
async function findSources(fetch) {
  const options = {
    limitMs: downloadMs,
    env: { ...goEnvironment, ...(fetch ? {} : { GOPROXY: "off" }) },
    cwd: fileURLToPath(new URL(`go/${wrapper}`, import.meta.url)),
  };
  if (fetch) await runCommand("go", ["mod", "download", module], options);
  return (await runCommand("go", ["list", "-m", "-f", "{{.Dir}}", module], options)).trim();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const log = (text) => process.stderr.write(`${text}\n`);
  const keda = await findKeda({ fetch: process.argv.includes("--fetch"), log });
  if (keda === undefined) process.exitCode = 1;
  else process.stdout.write(`${Object.values(keda).join("\n")}\n`);
}
