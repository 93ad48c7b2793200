/** What Grafana would ask Prometheus for: every expression, with its variables filled in. */
import type { BoardSpec } from "../../../tools/dashboards/board.ts";
import { boards } from "../../../tools/dashboards/boards.ts";

export interface Question {
  /** Board and panel, for the name of a test. */
  readonly where: string;
  readonly expr: string;
}

/** More than a test lasts, so that everything that happened is within it. */
const rateInterval = "5m";

export const variables: readonly { name: string; metric: string; label: string }[] = [
  ...new Map(
    boards
      .flatMap((board) => board.variables)
      .flatMap(({ name, query }) => {
        const [, metric = "", label = ""] = /^label_values\((.*), (\w+)\)$/.exec(query ?? "") ?? [];
        return query === undefined ? [] : [[name, { name, metric, label }] as const];
      }),
  ).values(),
];

export const questions: readonly Question[] = boards.flatMap((board) =>
  board.rows.flatMap(({ title, panels }) =>
    panels.flatMap((panel) =>
      panel.queries.map(({ expr, legend }) => ({
        where: `${board.title}, ${title}, ${panel.title} ${legend}`.trim(),
        expr: withTexts(board, expr),
      })),
    ),
  ),
);

function withTexts({ variables: known }: BoardSpec, expr: string): string {
  return known.reduce(
    (text, { name, value }) => (value === undefined ? text : text.replaceAll(`$${name}`, value)),
    expr,
  );
}

/** As Grafana fills in: all the values that are chosen, as one pattern. */
export function fillIn(expr: string, chosen: ReadonlyMap<string, readonly string[]>): string {
  let text = expr.replaceAll("$__rate_interval", rateInterval);
  for (const [name, values] of chosen) text = text.replaceAll(`$${name}`, `(${values.join("|")})`);
  return text;
}
