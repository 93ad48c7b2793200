import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { readText } from "../repository.ts";
import { valuesTable } from "./values-table.ts";

const chart = "deploy/helm/zfarm";
const section = /(<!-- values -->\n)[^]*(<!-- \/values -->)/;

// `vitest run --project unit test/chart -u` writes it anew.
test("the chart's README lists every value as values.yaml has it", async () => {
  const readme = readText(`${chart}/README.md`);
  const table = valuesTable(readText(`${chart}/values.yaml`));
  const path = fileURLToPath(new URL(`../../${chart}/README.md`, import.meta.url));
  const written = readme.replace(section, (_, begin, end) => `${begin}\n${table}\n${end}`);
  await expect(written).toMatchFileSnapshot(path);
});

test("a comment of several lines is one text, and a value without one has none", () => {
  const yaml = '# Two\n# lines.\na: 1\nb:\n  # Inner | bar.\n  c: { d: [] }\n  e: ""\n';
  expect(valuesTable(yaml).split("\n").slice(2)).toEqual([
    "| `a` | `1` | Two lines. |",
    '| `b.c` | `{"d":[]}` | Inner \\| bar. |',
    '| `b.e` | `""` |  |',
    "",
  ]);
});

test("the values in the README and the guide are values of the chart", () => {
  const schema = JSON.parse(readText(`${chart}/values.schema.json`));
  const texts = [`${chart}/README.md`, "docs/guides/install-on-kubernetes.md"].map(readText);
  const blocks = texts.flatMap((text) => [...text.matchAll(/```yaml\n([^]*?)```/g)]);
  expect(blocks.length).toBeGreaterThan(2);
  for (const [, yaml = ""] of blocks) {
    for (const key of Object.keys(parse(yaml))) expect(schema.properties).toHaveProperty(key);
  }
});
