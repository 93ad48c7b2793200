import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { repositoryRoot } from "../../test/repository.ts";
import { buildBoard } from "./board.ts";
import { boards } from "./boards.ts";

/** For people who import them by hand, and for the chart. */
const folders = ["dashboards", "deploy/helm/zfarm/files/dashboards"];

interface Built {
  readonly title: string;
  readonly templating: { readonly list: readonly { readonly name: string }[] };
  readonly panels: readonly {
    readonly id: number;
    readonly type: string;
    readonly title: string;
    readonly description?: string;
    readonly datasource?: { readonly uid: string };
    readonly fieldConfig?: { readonly defaults: { readonly unit?: string } };
    readonly targets?: readonly { readonly expr: string; readonly refId: string }[];
  }[];
}

describe.each(folders)("dashboards in %s", (folder) => {
  // `npm run dashboards` writes them anew.
  test.each(boards)("$id is what its source makes", async (board) => {
    const path = join(repositoryRoot, folder, `${board.id}.json`);
    await expect(buildBoard(board)).toMatchFileSnapshot(path);
  });

  test("are no others than those that have a source", () => {
    const files = readdirSync(join(repositoryRoot, folder));
    expect(files.toSorted()).toEqual(boards.map(({ id }) => `${id}.json`).toSorted());
  });
});

describe.each(boards)("dashboard $id", (board) => {
  const built = JSON.parse(buildBoard(board)) as Built;
  const panels = built.panels.filter(({ type }) => type !== "row");

  test("keeps Grafana's references apart", () => {
    const ids = built.panels.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { targets = [] } of panels) {
      const letters = targets.map(({ refId }) => refId);
      expect(letters[0]).toBe("A");
      expect(new Set(letters).size).toBe(letters.length);
    }
  });

  test("says what each panel shows, in which unit and from which source", () => {
    for (const panel of panels) {
      expect(panel.description, panel.title).toMatch(/[.]$/);
      expect(panel.fieldConfig?.defaults.unit, panel.title).toBeTruthy();
      expect(panel.datasource?.uid).toBe("${datasource}");
    }
  });

  test("asks for the namespace it is set to, over the interval that is shown", () => {
    const exprs = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
    const names = new Set(built.templating.list.map(({ name }) => name));
    for (const expr of exprs) {
      const selectors = expr.match(/\{[^}]*\}/g) ?? [];
      expect(selectors.length, expr).toBeGreaterThan(0);
      for (const selector of selectors) expect(selector).toContain('namespace=~"$namespace"');
      for (const [, range] of expr.matchAll(/\[([^\]]*)\]/g))
        expect(range).toBe("$__rate_interval");
      for (const [, name = ""] of expr.matchAll(/\$(?!__)(\w+)/g)) expect(names).toContain(name);
    }
  });
});
