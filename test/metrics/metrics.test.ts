import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { findToolForTests } from "@zfarm/testing";
import { describe, expect, it } from "vitest";
import { promtool } from "../../tools/servers/prometheus.mjs";
import { isTest, listFiles, readText } from "../repository.ts";
import { farmRegistries } from "./farm-registries.ts";
import { listMetrics, metricPage } from "./metric-table.ts";

const page = fileURLToPath(new URL("../../docs/reference/metrics.md", import.meta.url));
const linter = await findToolForTests(promtool, "prometheus.mjs");

describe("metrics", () => {
  // `vitest run --project unit test/metrics -u` writes the page anew.
  it("are listed in the reference as they are", async () => {
    const text = await metricPage();
    expect(text).not.toContain("UNDOCUMENTED");
    await expect(text).toMatchFileSnapshot(page);
  });

  it("are all in the reference, whoever makes them", async () => {
    const files = listFiles().filter((path) => /^(packages|services)\/.*\.ts$/.test(path));
    const names = files
      .filter((path) => !isTest(path))
      .flatMap((path) => [...readText(path).matchAll(/name: "(zfarm_\w+)"/g)])
      .map(([, name = ""]) => name);
    expect(names.length).toBeGreaterThan(50);
    const text = await metricPage();
    expect(names.filter((name) => !text.includes(`\`${name}\``))).toEqual([]);
  });

  it("say in their names what they count, in base units", async () => {
    for (const registry of farmRegistries().values()) {
      for (const { name, type, help } of await listMetrics(registry)) {
        expect(name).toMatch(/^zfarm_[a-z0-9_]+$/);
        expect(name.endsWith("_total"), name).toBe(type === "counter");
        expect(name).not.toMatch(/_(ms|milliseconds|percent|mb|kb)(_|$)/);
        expect(help, name).toMatch(/^\S.+\.$/);
      }
    }
  });

  it.skipIf(linter === undefined)("are what promtool takes for well made", async () => {
    for (const registry of farmRegistries().values()) {
      expect(await lint(await registry.metrics())).toBe("");
    }
  });
});

/** What `promtool check metrics` says of a page of metrics; nothing where all is well. */
function lint(text: string): Promise<string> {
  return new Promise((resolve) => {
    const child = execFile(linter?.path ?? "promtool", ["check", "metrics"], (_, out, errors) =>
      resolve(out + errors),
    );
    child.stdin?.end(text);
  });
}
