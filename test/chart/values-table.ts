/** The table of the chart's values, from the comments that stand above them in values.yaml. */
import { isMap, isScalar, type Pair, parseDocument, type YAMLMap } from "yaml";

interface Row {
  readonly key: string;
  /** Absent for what only holds others. */
  readonly value?: unknown;
  readonly text: string;
}

/** Markdown: one row a value, with its default. Values that are written on one line stay one. */
export function valuesTable(yaml: string): string {
  const { contents } = parseDocument(yaml);
  const rows = isMap(contents) ? [...rowsOf(contents, "")] : [];
  const lines = rows.map(({ key, value, text }) => `| \`${key}\` | ${shown(value)} | ${text} |`);
  return ["| value | default | |", "|---|---|---|", ...lines, ""].join("\n");
}

function* rowsOf(map: YAMLMap, prefix: string): Generator<Row> {
  for (const [place, pair] of map.items.entries()) {
    const { key, value } = pair;
    const name = prefix + String(isScalar(key) ? key.value : key);
    // The parser gives the comment above a map's first key to the map.
    const above = place === 0 ? map.commentBefore : undefined;
    const text = textOf(above ?? commentOf(pair));
    if (isMap(value) && value.flow !== true) {
      if (text !== "") yield { key: name, text };
      yield* rowsOf(value, `${name}.`);
    } else {
      yield { key: name, value: plainOf(pair), text };
    }
  }
}

function commentOf({ key }: Pair): string | undefined {
  return isScalar(key) ? (key.commentBefore ?? undefined) : undefined;
}

function plainOf({ value }: Pair): unknown {
  return isMap(value) || !isScalar(value)
    ? (value as { toJSON?(): unknown } | null)?.toJSON?.()
    : value.value;
}

function textOf(comment: string | null | undefined): string {
  return (comment ?? "").replaceAll(/\s+/g, " ").trim().replaceAll("|", "\\|");
}

function shown(value: unknown): string {
  return value === undefined ? "" : `\`${JSON.stringify(value)}\``;
}
