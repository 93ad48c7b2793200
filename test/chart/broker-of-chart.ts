/** The broker that the chart brings: a nats-server with the chart's configuration and its users. */
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { type NatsServer, startNatsServer } from "@zfarm/testing";
import { repositoryRoot } from "../repository.ts";
import { renderChart } from "./render-chart.ts";

export const cliEntry = join(repositoryRoot, "cli/bin/zfarm.mjs");

export interface BrokerOfChart {
  readonly server: NatsServer;
  /** The file with a user's seed: gateway, scheduler, bootstrap, worker-POOL. */
  credentials(user: string): string;
  /** What it refused, in its own words. */
  refusals(): Promise<string[]>;
}

/** Keys and rights as an operator makes them, with `zfarm nats-users`, in the folder. */
export async function startBrokerOfChart(
  folder: string,
  { pools, shards }: { readonly pools: readonly string[]; readonly shards: number },
): Promise<BrokerOfChart> {
  const named = pools.flatMap((pool) => ["--pool", pool]);
  const args = ["nats-users", "--out", folder, "--shards", String(shards), ...named];
  await promisify(execFile)(process.execPath, [cliEntry, ...args]);
  const users = await readFile(join(folder, "users.json"), "utf8");
  const objects = await renderChart("fixed", "--set-json", `nats.bundled.users=${users}`);
  const map = objects.find(({ data }) => data?.["nats.conf"] !== undefined);
  const logFile = join(folder, "nats.log");
  // Where it listens and stores is the test's own.
  const config = (map?.data?.["nats.conf"] ?? "").replace(/^(http_port|jetstream)\b.*$/gm, "");
  const server = await startNatsServer({ config: `${config}\nlog_file: "${logFile}"\n` });
  return {
    server,
    credentials: (user) => join(folder, "keys", `${user}.creds`),
    refusals: async () => {
      const lines = (await readFile(logFile, "utf8")).split("\n");
      return lines.filter((line) => line.includes("Violation"));
    },
  };
}
