/**
 * Finds the Helm that renders and installs the chart in tests, and builds it into the user's cache
 * where asked. Also a command: `node tools/servers/helm.mjs [--fetch]`.
 */
import { goTool } from "./go-tool.mjs";
import { runAsCommand } from "./run-as-command.mjs";

/** @param {{ version: string, variable: string }} release */
function helmOf({ version, variable }) {
  const module = `helm.sh/helm/v${version.split(".")[0]}`;
  return goTool({
    name: "helm",
    title: "Helm",
    variable,
    probeMs: 10_000,
    versionArgument: "version",
    // It prints `version.BuildInfo{Version:"v4.2.4", ...}`.
    readVersion: (text) => /Version:"v([\d.]+)"/.exec(text)?.[1],
    version,
    go: [1, 26],
    package: `${module}/cmd/helm`,
    stamps: { [`${module}/internal/version.version`]: `v${version}` },
  });
}

export const helm = helmOf({ version: "4.2.4", variable: "HELM_BIN" });
/** Ended, and still in use: charts should render with it. Built by `npm run test:k8s` only. */
export const helm3 = helmOf({ version: "3.21.4", variable: "HELM3_BIN" });

await runAsCommand(import.meta.url, helm.find);
