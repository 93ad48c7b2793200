/** Every expression that a dashboard or a rule has, on a real Prometheus over a farm under load. */
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findToolForTests } from "@zfarm/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { natsExporter } from "../../tools/servers/nats-exporter.mjs";
import { prometheus } from "../../tools/servers/prometheus.mjs";
import { waitUntil } from "../chaos/farm/wait-until.ts";
import { repositoryRoot } from "../repository.ts";
import { keepBusy, loseEngine, overload, uploadAdapters } from "./dashboards/busy-farm.ts";
import { fillIn, questions, variables } from "./dashboards/expressions.ts";
import { PrometheusServer, type Target } from "./dashboards/prometheus-server.ts";
import { WatchedBroker } from "./dashboards/watched-broker.ts";
import { type FarmUnderTest, hasNatsServer, startFarm } from "./farm.ts";

interface Rule {
  readonly isRecorded: boolean;
  readonly expr: string;
}

/** As it stands in a file. */
interface RuleInFile {
  readonly alert?: string;
  readonly record?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly expr: string;
}

const rulesFolder = join(repositoryRoot, "deploy/helm/zfarm/files/rules");
const patience = { timeout: 60_000, interval: 500 };

const exporter = await findToolForTests(natsExporter, "nats-exporter.mjs");

/** Of exporters that no farm brings along, and that cannot run here: of cards and of clusters. */
const isOfOthers = (text: string) =>
  (exporter === undefined ? /\b(nats|DCGM|kube)_/ : /\b(DCGM|kube)_/).test(text);

/** Labels that have all values before anything happened: so the first event is an increase. */
const knownAhead: readonly [metric: string, label: string, values: readonly string[]][] = [
  ["zfarm_worker_lora_load_seconds_count", "tier", ["disk", "store"]],
  [
    "zfarm_stage_seconds_count",
    "stage",
    ["denoise", "encode_file", "queue", "text_encode", "upload", "vae_decode"],
  ],
  ["zfarm_requests_total", "code", ["DATA_LOSS", "INTERNAL", "OK", "UNAVAILABLE", "UNKNOWN"]],
  ["zfarm_task_start_seconds_count", "class", ["batch", "interactive", "standard"]],
  ["zfarm_task_outcomes_total", "fault", ["farm", "none", "task"]],
  ["zfarm_lora_placements_total", "kind", ["cold", "none", "warm"]],
];

/** What hands on one machine never show: nobody else scales or takes there, and no pod tells. */
const needsCluster = /zfarm_autoscale_(hindered|victims_missed_total|start_phase_seconds)/;

const atHand = await findToolForTests(prometheus, "prometheus.mjs");
const rules = await readRules();
const canRun = (await hasNatsServer()) && atHand !== undefined;

describe.skipIf(!canRun)("on a Prometheus that scrapes a farm under load", () => {
  let folder: string;
  let farm: FarmUnderTest;
  let server: PrometheusServer;
  let broker: WatchedBroker | undefined;
  const chosen = new Map<string, string[]>();
  let valuesAhead: string[][];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "zfarm-dashboards-"));
    farm = await startFarm({ workers: "2..2" });
    broker = exporter && (await WatchedBroker.start(exporter.path));
    const targets = await targetsOf(farm);
    const labels = { namespace: "renders", pod: "nats-0" };
    server = await PrometheusServer.start({
      binary: atHand?.path ?? "",
      targets: broker ? [...targets, { address: broker.address, labels }] : targets,
      ruleFiles: await copyRules(folder),
    });
    await server.untilScraped();
    valuesAhead = await Promise.all(
      knownAhead.map(([metric, label]) => server.labelValues(label, metric)),
    );
    await uploadAdapters(farm);
    await keepBusy(farm);
    await loseEngine(farm);
    await keepBusy(farm);
    await overload(farm, async () => {
      const reasons = await server.labelValues("reason", "zfarm_autoscale_decisions_total");
      return reasons.includes("max");
    });
    for (const { name, metric, label } of variables) {
      const found = await waitUntil(`values of $${name}`, patience.timeout, async () => {
        const values = await server.labelValues(label, fillIn(metric, chosen));
        return values.length > 0 && values;
      });
      chosen.set(name, found);
    }
  });
  afterAll(async () => {
    await server.stop();
    await broker?.stop();
    expect(await farm.stop()).toBe(0);
    await rm(folder, { recursive: true });
  });

  test("kinds of events are known before the first of them", () => {
    expect(valuesAhead).toEqual(knownAhead.map(([, , values]) => values));
  });

  const own = questions.filter(({ expr }) => !isOfOthers(expr) && !needsCluster.test(expr));

  test.each(own)("$where brings data", async ({ expr }) => {
    await expect.poll(() => server.problemOf(fillIn(expr, chosen)), patience).toBe("");
  });

  test("the rest of the panels are understood, though nobody exports their metrics", async () => {
    const rest = questions.filter((question) => !own.includes(question));
    expect(rest.length).toBeGreaterThan(3);
    for (const { expr } of rest) {
      expect(await server.problemOf(fillIn(expr, chosen))).toMatch(/^(no series)?$/);
    }
  });

  test("no rule has trouble", async () => {
    const troubled = async () => (await server.rules()).filter(({ health }) => health !== "ok");
    await expect.poll(troubled, patience).toEqual([]);
    expect((await server.rules()).length).toBeGreaterThan(40);
  });

  test.each(rules)("%s asks for what there is", async (_name, { isRecorded, expr }) => {
    const said = await server.problemOf(expr);
    expect(said).toMatch(isRecorded ? /^$/ : /^(no series)?$/);
    if (isRecorded) return;
    for (const part of partsOf(expr)) {
      if (isOfOthers(part) || needsCluster.test(part)) continue;
      await expect.poll(() => server.problemOf(part), { ...patience, message: part }).toBe("");
    }
  });
});

/** Where the farm's processes answer, as their logs say. */
async function targetsOf({ dataDir }: FarmUnderTest): Promise<Target[]> {
  const logs = join(dataDir, "logs");
  const targets: Target[] = [];
  for (const file of await readdir(logs)) {
    const text = await readFile(join(logs, file), "utf8");
    const line = text.split("\n").findLast((one) => one.includes('"ops server listens"'));
    if (line === undefined) continue;
    const { port } = JSON.parse(line) as { port: number };
    const labels = { namespace: "renders", pod: file.replace(".log", "") };
    targets.push({ address: `127.0.0.1:${port}`, labels });
  }
  expect(targets).toHaveLength(4);
  return targets;
}

/** The chart's rules, evaluated every second. */
async function copyRules(folder: string): Promise<string[]> {
  const files = await readdir(rulesFolder);
  return Promise.all(
    files.map(async (file) => {
      const text = await readFile(join(rulesFolder, file), "utf8");
      const path = join(folder, file);
      await writeFile(path, text.replaceAll(/^( +)interval: .*$/gm, "$1interval: 1s"));
      return path;
    }),
  );
}

async function readRules(): Promise<[name: string, rule: Rule][]> {
  const files = await readdir(rulesFolder);
  const texts = await Promise.all(files.map((file) => readFile(join(rulesFolder, file), "utf8")));
  return texts.flatMap((text) => {
    const { groups } = parse(text) as { groups: { rules: RuleInFile[] }[] };
    return groups.flatMap((group) =>
      group.rules.map(({ alert, record, labels, expr }): [string, Rule] => {
        const name = alert ?? `${record} of ${labels?.["slo"]}`;
        return [name, { isRecorded: record !== undefined, expr }];
      }),
    );
  });
}

/** What an alert compares and joins, each without its bound: a farm that is well has it all. */
function partsOf(expr: string): string[] {
  const text = expr.replaceAll(/^ *[()] *$/gm, "");
  const parts = text.split(/^ *(?:and|or|unless)(?: on \(.*\))?$/m);
  return parts.map((part) => part.replaceAll(/\s(?:[<>]=?|[=!]=) [\d.]+(?: \* [\d.]+)?/g, ""));
}
