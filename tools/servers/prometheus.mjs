/**
 * Finds the Prometheus that scrapes a farm in tests and the promtool that lints its metrics and
 * rules, and builds them into the user's cache where asked. Also a command:
 * `node tools/servers/prometheus.mjs [--fetch]` prints the path of Prometheus.
 */
import { goTool } from "./go-tool.mjs";
import { runAsCommand } from "./run-as-command.mjs";

const version = "3.14.0";

/** Both print `prometheus, version 3.14.0 (branch: ...)` under their own name. */
function prometheusTool(name, variable) {
  return goTool({
    name,
    title: name,
    variable,
    probeMs: 20_000,
    readVersion: (text) => /version ([\d.]+)/.exec(text)?.[1],
    version,
    go: [1, 26],
    package: `github.com/prometheus/prometheus/cmd/${name}`,
    wrapper: "prometheus",
    stamps: { "github.com/prometheus/common/version.Version": version },
  });
}

export const prometheus = prometheusTool("prometheus", "PROMETHEUS_BIN");
export const promtool = prometheusTool("promtool", "PROMTOOL_BIN");

await runAsCommand(import.meta.url, prometheus.find);
