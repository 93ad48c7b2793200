/**
 * Finds the exporter that tells Prometheus what NATS servers say of themselves, and builds it into
 * the user's cache where asked. Also a command: `node tools/servers/nats-exporter.mjs [--fetch]`.
 */
import { goTool } from "./go-tool.mjs";
import { runAsCommand } from "./run-as-command.mjs";

/** The one that the official chart of NATS 2.14 runs beside each server. */
const version = "0.20.1";

export const natsExporter = goTool({
  name: "prometheus-nats-exporter",
  title: "prometheus-nats-exporter",
  variable: "NATS_EXPORTER_BIN",
  probeMs: 10_000,
  versionArgument: "-version",
  readVersion: (text) => /version ([\d.]+)/.exec(text)?.[1],
  version,
  go: [1, 25],
  package: "github.com/nats-io/prometheus-nats-exporter",
  wrapper: "nats-exporter",
  stamps: { "main.version": version },
});

await runAsCommand(import.meta.url, natsExporter.find);
