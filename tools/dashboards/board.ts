/** A dashboard as plain data, and how it becomes what Grafana reads. */
import * as dashboard from "@grafana/grafana-foundation-sdk/dashboard";
import * as prometheus from "@grafana/grafana-foundation-sdk/prometheus";
import * as stat from "@grafana/grafana-foundation-sdk/stat";
import * as timeseries from "@grafana/grafana-foundation-sdk/timeseries";

export interface Query {
  /** PromQL; `$namespace`, `$pool` and the board's own variables may stand in it. */
  readonly expr: string;
  /** What the line is called: `{{pool}}` is the label's value. */
  readonly legend: string;
}

export interface PanelSpec {
  readonly title: string;
  /** What it tells, and when to worry. */
  readonly description: string;
  /** A unit of Grafana's: s, bytes, percentunit, short, ops, currencyUSD. */
  readonly unit: string;
  readonly queries: readonly Query[];
  /** One number instead of lines. */
  readonly isStat?: boolean;
  /** Lines on top of each other: parts of a whole. */
  readonly isStacked?: boolean;
}

export interface RowSpec {
  readonly title: string;
  readonly panels: readonly PanelSpec[];
}

export interface VariableSpec {
  readonly name: string;
  readonly label: string;
  /** `label_values(metric, label)`; absent: a text that is typed. */
  readonly query?: string;
  /** Of a text. */
  readonly value?: string;
}

export interface BoardSpec {
  /** File name and address in Grafana: `zfarm-<id>`. */
  readonly id: string;
  readonly title: string;
  readonly description: string;
  readonly variables: readonly VariableSpec[];
  readonly rows: readonly RowSpec[];
}

const source = { type: "prometheus", uid: "${datasource}" };
/** Panels beside each other; Grafana's grid has 24 columns. */
const columns = 24;
const heights = { stat: 4, lines: 8 };

/** What every board can be narrowed to. */
export const namespaceVariable: VariableSpec = {
  name: "namespace",
  label: "Namespace",
  query: "label_values(zfarm_build_info, namespace)",
};
export const poolVariable: VariableSpec = {
  name: "pool",
  label: "Pool",
  query: 'label_values(zfarm_requests_waiting{namespace=~"$namespace"}, pool)',
};

/** The board's JSON, with ids that stay the same while panels keep their places. */
export function buildBoard({ id, title, description, variables, rows }: BoardSpec): string {
  const board = new dashboard.DashboardBuilder(`zfarm: ${title}`)
    .uid(`zfarm-${id}`)
    .description(description)
    .tags(["zfarm"])
    .readonly()
    .refresh("30s")
    .time({ from: "now-6h", to: "now" })
    .timezone("browser")
    .tooltip(dashboard.DashboardCursorSync.Crosshair)
    .withVariable(
      new dashboard.DatasourceVariableBuilder("datasource").label("Data source").type("prometheus"),
    );
  for (const variable of variables) board.withVariable(buildVariable(variable));
  let panelId = 0;
  for (const row of rows) {
    board.withRow(new dashboard.RowBuilder(row.title).id((panelId += 1)));
    for (const panel of row.panels) {
      board.withPanel(buildPanel(panel, { id: (panelId += 1), row }));
    }
  }
  return `${JSON.stringify(board.build(), null, 2)}\n`;
}

function buildVariable({ name, label, query, value = "" }: VariableSpec) {
  if (query === undefined)
    return new dashboard.TextBoxVariableBuilder(name).label(label).defaultValue(value);
  return new dashboard.QueryVariableBuilder(name)
    .label(label)
    .datasource(source)
    .query(query)
    .refresh(dashboard.VariableRefresh.OnTimeRangeChanged)
    .sort(dashboard.VariableSort.AlphabeticalAsc)
    .multi(true)
    .includeAll(true)
    .allValue(".*")
    .current({ text: "All", value: "$__all" });
}

function buildPanel(panel: PanelSpec, place: { readonly id: number; readonly row: RowSpec }) {
  const builder = panel.isStat === true ? statPanel() : linesPanel(panel);
  builder
    .id(place.id)
    .title(panel.title)
    .description(panel.description)
    .unit(panel.unit)
    .datasource(source)
    .span(Math.floor(columns / Math.min(place.row.panels.length, panel.isStat === true ? 6 : 3)))
    .height(panel.isStat === true ? heights.stat : heights.lines);
  for (const [index, { expr, legend }] of panel.queries.entries()) {
    builder.withTarget(
      new prometheus.DataqueryBuilder()
        .refId(String.fromCharCode("A".charCodeAt(0) + index))
        .datasource(source)
        .expr(expr)
        .legendFormat(legend)
        .range(),
    );
  }
  return builder;
}

function statPanel() {
  return new stat.PanelBuilder();
}

function linesPanel({ isStacked }: PanelSpec) {
  const lines = new timeseries.PanelBuilder().min(0).fillOpacity(isStacked === true ? 40 : 5);
  return lines;
}
