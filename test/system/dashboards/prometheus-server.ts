/** A real Prometheus on the loopback, and what it answers. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findFreePort } from "@zfarm/runtime";
import { stringify } from "yaml";
import { waitUntil } from "../../chaos/farm/wait-until.ts";

const readyWithinMs = 20_000;

export interface Target {
  /** host:port. */
  readonly address: string;
  readonly labels: Readonly<Record<string, string>>;
}

interface PrometheusOptions {
  readonly binary: string;
  readonly targets: readonly Target[];
  readonly ruleFiles: readonly string[];
}

interface Answer<Data> {
  readonly status: string;
  readonly data: Data;
  readonly error?: string;
  readonly warnings?: readonly string[];
  readonly infos?: readonly string[];
}

/** A part of a parsed expression; children are under names that differ by type. */
export interface ExprNode {
  readonly type: string;
  readonly name?: string;
  readonly matchers?: readonly { readonly name: string }[];
}

export interface RuleHealth {
  readonly name: string;
  readonly health: string;
  readonly lastError?: string;
}

export class PrometheusServer {
  readonly #child: ChildProcess;
  readonly #folder: string;
  readonly #url: string;
  readonly #startedSeconds = Date.now() / 1_000;

  private constructor(child: ChildProcess, folder: string, url: string) {
    this.#child = child;
    this.#folder = folder;
    this.#url = url;
  }

  static async start({ binary, targets, ruleFiles }: PrometheusOptions): Promise<PrometheusServer> {
    const folder = await mkdtemp(join(tmpdir(), "zfarm-prometheus-"));
    const configFile = join(folder, "prometheus.yml");
    await writeFile(configFile, configOf(targets, ruleFiles));
    const listen = `127.0.0.1:${await findFreePort()}`;
    const child = spawn(
      binary,
      [
        `--config.file=${configFile}`,
        `--storage.tsdb.path=${join(folder, "data")}`,
        `--web.listen-address=${listen}`,
        "--log.level=error",
      ],
      { stdio: ["ignore", "ignore", "inherit"] },
    );
    const server = new PrometheusServer(child, folder, `http://${listen}`);
    await waitUntil("Prometheus is ready", readyWithinMs, async () => {
      const answer = await fetch(`http://${listen}/-/ready`).catch(() => undefined);
      return answer?.status === 200;
    });
    return server;
  }

  /**
   * What is wrong with the answer to an expression over all of the time since the start: an error,
   * a warning or a remark, no series, or one that is no number by now. Empty where all is well.
   */
  async problemOf(expr: string): Promise<string> {
    const end = Date.now() / 1_000;
    const time = { start: String(this.#startedSeconds), end: String(end), step: "1" };
    const { data, error, warnings, infos } = await this.#ask<{
      result: { values: [number, string][] }[];
    }>("query_range", { query: expr, ...time });
    const said = [error ?? [], warnings ?? [], infos ?? []].flat();
    if (said.length > 0) return said.join("; ");
    if (data.result.length === 0) return "no series";
    const isLost = data.result.some(({ values }) => values.at(-1)?.[1] === "NaN");
    return isLost ? "a series that is no number" : "";
  }

  /** Until every target has answered: only what happens later is an increase. */
  async untilScraped(): Promise<void> {
    await waitUntil("every target was scraped", readyWithinMs, async () => {
      const { data } = await this.#ask<{ activeTargets: { health: string }[] }>("targets", {});
      const { length } = data.activeTargets;
      return length > 0 && data.activeTargets.every(({ health }) => health === "up");
    });
  }

  async labelValues(label: string, metric: string): Promise<string[]> {
    const { data } = await this.#ask<string[]>(`label/${label}/values`, { "match[]": metric });
    return data;
  }

  /** Names of the labels of a metric's series. */
  async labelsOf(metric: string): Promise<string[]> {
    const { data } = await this.#ask<string[]>("labels", { "match[]": metric });
    return data;
  }

  async parse(expr: string): Promise<ExprNode> {
    const { data } = await this.#ask<ExprNode>("parse_query", { query: expr });
    return data;
  }

  async rules(): Promise<RuleHealth[]> {
    const { data } = await this.#ask<{ groups: { rules: RuleHealth[] }[] }>("rules", {});
    return data.groups.flatMap(({ rules }) => rules);
  }

  async stop(): Promise<void> {
    const exited = once(this.#child, "exit");
    this.#child.kill("SIGTERM");
    await exited;
    await rm(this.#folder, { recursive: true });
  }

  async #ask<Data>(path: string, query: Record<string, string>): Promise<Answer<Data>> {
    const text = new URLSearchParams(query).toString();
    const answer = await fetch(`${this.#url}/api/v1/${path}?${text}`);
    return (await answer.json()) as Answer<Data>;
  }
}

function configOf(targets: readonly Target[], ruleFiles: readonly string[]): string {
  return stringify({
    global: { scrape_interval: "1s", evaluation_interval: "1s" },
    rule_files: ruleFiles,
    scrape_configs: [
      {
        job_name: "zfarm",
        static_configs: targets.map(({ address, labels }) => ({ targets: [address], labels })),
      },
    ],
  });
}
