/**
 * Finds the Helm that renders and installs the chart in tests, and builds it into the user's cache
 * where asked. Also a command: `node tools/servers/helm.mjs [--fetch]`.
 */
import { goTool } from "./go-tool.mjs";
import { runAsCommand } from "./run-as-command.mjs";

const version = "4.2.4";

export const helm = goTool({
  name: "helm",
  title: "Helm",
  variable: "HELM_BIN",
  probeMs: 10_000,
  versionArgument: "version",
  // It prints `version.BuildInfo{Version:"v4.2.4", ...}`.
  readVersion: (text) => /Version:"v([\d.]+)"/.exec(text)?.[1],
  version,
  go: [1, 26],
  package: "helm.sh/helm/v4/cmd/helm",
  stamps: { "helm.sh/helm/v4/internal/version.version": `v${version}` },
});

await runAsCommand(import.meta.url, helm.find);
