/** Alerts and what belongs to them: cases that promtool runs, pages of the guide, and metrics. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { findToolForTests } from "@zfarm/testing";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { promtool } from "../tools/servers/prometheus.mjs";
import { listFiles, readText, repositoryRoot } from "./repository.ts";

interface Rule {
  readonly alert?: string;
  readonly record?: string;
  readonly expr: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

interface CaseFile {
  readonly tests: readonly {
    readonly promql_expr_test: readonly {
      readonly expr: string;
      readonly exp_samples: unknown[];
    }[];
  }[];
}

const files = listFiles();
const ruleFiles = files.filter((path) =>
  /^deploy\/helm\/zfarm\/files\/rules\/.*\.yaml$/.test(path),
);
const caseFiles = files.filter((path) => /^test\/alerts\/.*\.test\.yaml$/.test(path));
const guide = readText("docs/guides/alerts.md");

const rules = ruleFiles.flatMap((path) =>
  (parse(readText(path)) as { groups: { rules: Rule[] }[] }).groups.flatMap((group) => group.rules),
);
const alerts = rules.filter(({ alert }) => alert !== undefined);
const names = [...new Set(alerts.map(({ alert }) => alert ?? ""))];

const promtoolAtHand = await findToolForTests(promtool, "prometheus.mjs");
const runFile = promisify(execFile);

async function runPromtool(...args: string[]): Promise<string> {
  const { stdout } = await runFile(promtoolAtHand?.path ?? "promtool", args, {
    cwd: repositoryRoot,
  });
  return stdout;
}

describe("alerts", () => {
  test.each(names)("%s says how bad it is, what it is, and where to read on", (name) => {
    for (const { labels, annotations } of alerts.filter(({ alert }) => alert === name)) {
      expect(labels?.["severity"]).toMatch(/^(critical|warning)$/);
      expect(annotations?.["summary"]).toMatch(/^[A-Z]/);
      expect(annotations?.["description"]).toMatch(/[.?]$/);
      const url = `docs/guides/alerts.md#${name.toLowerCase()}`;
      expect(annotations?.["runbook_url"]).toBe(url);
    }
  });

  test("have a section of the guide each, and no section is of another", () => {
    const sections = [...guide.matchAll(/^### (Zfarm\w+)$/gm)].map(([, name]) => name ?? "");
    expect(sections.toSorted()).toEqual(names.toSorted());
  });

  test.each(names)("%s has its five answers in the guide", (name) => {
    const section = guide.split(`### ${name}\n`)[1]?.split(/^##/m)[0] ?? "";
    for (const answer of ["Means", "Users", "Look", "Do", "Causes"]) {
      expect(section).toContain(`**${answer}**`);
    }
  });
});

describe("the guide of alerts", () => {
  const boards = files.filter((path) => /^dashboards\/.*\.json$/.test(path)).map(readText);

  test("names panels that there are", () => {
    const panels = [...guide.matchAll(/"([^"]+)"/g)].map(([, title = ""]) =>
      title.replaceAll(/\s+/g, " "),
    );
    const missing = panels.filter(
      (title) => !boards.some((board) => board.includes(`"title": "${title}"`)),
    );
    expect(panels.length).toBeGreaterThan(10);
    expect(missing).toEqual([]);
  });
});

describe("cases of alerts", () => {
  const cases = caseFiles.flatMap((path) =>
    (parse(readText(path)) as CaseFile).tests.flatMap((one) => one.promql_expr_test),
  );

  test.each(alerts.map(({ alert = "", labels }) => [alert, labels?.["severity"] ?? ""] as const))(
    "show %s (%s) fire and be silent",
    (name, severity) => {
      const own = cases.filter(({ expr }) => {
        const isOf = expr.includes(`alertname="${name}"`);
        return isOf && (!expr.includes("severity=") || expr.includes(`severity="${severity}"`));
      });
      expect(own.some(({ exp_samples: samples }) => samples.length > 0)).toBe(true);
      expect(own.some(({ exp_samples: samples }) => samples.length === 0)).toBe(true);
    },
  );

  test.skipIf(promtoolAtHand === undefined).each(caseFiles)(
    "hold in %s",
    async (path) => {
      expect(await runPromtool("test", "rules", path)).toContain("SUCCESS");
    },
    120_000,
  );

  test.skipIf(promtoolAtHand === undefined)(
    "are of rules that promtool finds nothing in",
    async () => {
      const told = await runPromtool("check", "rules", "--lint=all", "--lint-fatal", ...ruleFiles);
      expect(told.match(/SUCCESS/g)).toHaveLength(ruleFiles.length);
    },
  );
});

describe("metrics of rules", () => {
  const table = readText("docs/reference/metrics.md").matchAll(/^\| `(zfarm_\w+)` \|/gm);
  const own = new Set([...table].map(([, name]) => name ?? ""));
  const others = new Set([...guide.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name ?? ""));
  const recorded = new Set(rules.flatMap(({ record }) => (record === undefined ? [] : [record])));
  /** By their prefixes: other words of an expression have none of these. */
  const used = new Set(
    rules.flatMap(({ expr }) =>
      [...expr.matchAll(/\b((?:zfarm|kube|nats|DCGM|process)[\w:]+)\b/g)].map(
        ([, name]) => name ?? "",
      ),
    ),
  );

  test.each([...used])("%s is exported by somebody", (name) => {
    const bare = name.replace(/_(bucket|count|sum)$/, "");
    expect(own.has(name) || own.has(bare) || recorded.has(name) || others.has(name)).toBe(true);
  });

  test("of others are in the guide only where a rule uses them", () => {
    expect([...others].filter((name) => !used.has(name))).toEqual([]);
  });
});
