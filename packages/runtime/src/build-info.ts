/** Which release a process is, as a metric that others join. */
import { readFileSync } from "node:fs";
import { Gauge, type Registry } from "./metrics.ts";

export function showBuild(registry: Registry, app: string): void {
  const info = new Gauge({
    name: "zfarm_build_info",
    help: "1, with the app, its release and the Node it runs on as labels.",
    labelNames: ["app", "version", "node"],
    registers: [registry],
  });
  info.set({ app, version: readRelease(), node: process.versions.node }, 1);
}

/** One version for everything: that of any package of the farm. */
function readRelease(): string {
  const manifest: unknown = JSON.parse(
    readFileSync(new URL("../package.json", import.meta.url), "utf8"),
  );
  const isNamed = typeof manifest === "object" && manifest !== null && "version" in manifest;
  return isNamed ? String(manifest.version) : "unknown";
}
