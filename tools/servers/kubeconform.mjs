/**
 * Finds the kubeconform that checks rendered manifests in tests, and builds it into the user's
 * cache where asked. Also a command: `node tools/servers/kubeconform.mjs [--fetch]`.
 */
import { goTool } from "./go-tool.mjs";
import { runAsCommand } from "./run-as-command.mjs";
import { parseVersion } from "./versions.mjs";

const version = "0.7.0";

export const kubeconform = goTool({
  name: "kubeconform",
  title: "kubeconform",
  variable: "KUBECONFORM_BIN",
  probeMs: 10_000,
  versionArgument: "-v",
  readVersion: (text) => parseVersion(text)?.join("."),
  version,
  go: [1, 24],
  package: "github.com/yannh/kubeconform/cmd/kubeconform",
  stamps: { "main.version": `v${version}` },
});

await runAsCommand(import.meta.url, kubeconform.find);
